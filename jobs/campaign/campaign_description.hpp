#pragma once
// OUT/campaign.toml: what a campaign is and how it was started, for those who look at it from outside.
// `inject` writes it; `flipstorm status` reads it, and with it the journal. No outcome depends on it.

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>

namespace flipstorm
{

/// Name of the description in the out folder.
inline constexpr const char* kDescriptionFile = "campaign.toml";

/// Content of the description.
struct CampaignDescription
{
    std::string stage_sha256;  ///< of the segments that belong to it
    std::string model_sha256;
    std::string dataset_sha256;
    std::string model_file;  ///< absolute
    std::uint64_t images = 0;
    std::uint64_t faults = 0;  ///< in the plan
    std::uint64_t chunks = 0;

    std::uint64_t starts = 1;  ///< of this campaign in this folder, this one included
    std::time_t started = 0;   ///< seconds since 1970, the last start
    std::uint64_t ranks = 1;
    std::string placement;                ///< of the ranks, in words
    std::optional<std::time_t> deadline;  ///< seconds since 1970
    std::optional<std::time_t> ended;     ///< seconds since 1970; none: it runs, or was killed
    std::string reason;                   ///< why it ended: "complete", or what stopped it

    std::string job;  ///< the resolved job, as canonical_job() writes it
};

/// As TOML, the job at the end. Pure.
[[nodiscard]] std::string describe_campaign(const CampaignDescription& description);

/// From TOML; keys that are not known are skipped. Pure. \throws FileError naming `name` if it is no
/// description.
[[nodiscard]] CampaignDescription parse_description(const std::string& text, const std::string& name);

/// The description in an out folder; none if there is none. \throws FileError if it cannot be read.
[[nodiscard]] std::optional<CampaignDescription> read_description(const std::filesystem::path& out);

/// Write the description into an out folder, durably. A failure is a warning: the campaign does without.
void write_description(const std::filesystem::path& out, const CampaignDescription& description);

}  // namespace flipstorm
