#include "jobs/campaign/campaign_description.hpp"

#include <fmt/format.h>

#include <sstream>
#include <toml.hpp>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/job_text.hpp"
#include "jobs/job_file/toml_limits.hpp"

namespace flipstorm
{
namespace
{

constexpr std::uint64_t kLongestDescription = 4 * kLongestJobFile;  ///< bytes; it holds a whole job

std::string quoted(std::string text)
{
    return toml_text(KeyRef(&text));
}

/// The job between lines of three apostrophes, where it holds none.
std::string block(const std::string& text)
{
    return text.find("'''") == std::string::npos ? "'''\n" + text + "'''" : quoted(text);
}

std::string whole(const toml::value& table, const char* key)
{
    return toml::find<std::string>(table, key);
}

std::uint64_t count(const toml::value& table, const char* key)
{
    const auto value = toml::find<std::int64_t>(table, key);
    FS_CHECK(FileError, value >= 0, "its {} is {}", key, value);
    return static_cast<std::uint64_t>(value);
}

std::time_t instant(const toml::value& table, const char* key)
{
    constexpr std::int64_t kLast = 253402300799;  // the end of the year 9999
    const auto value = toml::find<std::int64_t>(table, key);
    FS_CHECK(FileError, value >= 0 && value <= kLast, "its {} is {}, no time between 1970 and 9999", key,
             value);
    return static_cast<std::time_t>(value);
}

/// \throws FileError if a parser should not see it
void require_text(const std::string& text)
{
    FS_CHECK(FileError, !first_bad_byte(text), "it holds bytes that are not UTF-8 text");
    // The job may stand on one line; there are no lists.
    constexpr TomlLimits kLimits{kLongestDescription, 4, 256, 1000, 100};
    const auto excess = toml_excess(text, kLimits);
    FS_CHECK(FileError, !excess, "line {}: {}", excess->line, excess->reason);
}

}  // namespace

std::string describe_campaign(const CampaignDescription& d)
{
    std::string text = "# Written by flipstorm inject, for flipstorm status.\n";
    const auto add = [&text](const char* key, const std::string& value) {
        text += fmt::format("{} = {}\n", key, value);
    };
    add("stage_sha256", quoted(d.stage_sha256));
    add("model_sha256", quoted(d.model_sha256));
    add("dataset_sha256", quoted(d.dataset_sha256));
    add("model_file", quoted(d.model_file));
    add("images", std::to_string(d.images));
    add("faults", std::to_string(d.faults));
    add("chunks", std::to_string(d.chunks));
    add("starts", std::to_string(d.starts));
    add("started", std::to_string(d.started));
    add("ranks", std::to_string(d.ranks));
    add("placement", quoted(d.placement));
    if (d.deadline) add("deadline", std::to_string(*d.deadline));
    if (d.ended) add("ended", std::to_string(*d.ended));
    add("reason", quoted(d.reason));
    add("job", block(d.job));
    return text;
}

CampaignDescription parse_description(const std::string& text, const std::string& name)
{
    try
    {
        require_text(text);
        std::istringstream stream(text, std::ios::binary);
        const toml::value table = toml::parse(stream, name);
        CampaignDescription d;
        d.stage_sha256 = whole(table, "stage_sha256");
        d.model_sha256 = whole(table, "model_sha256");
        d.dataset_sha256 = whole(table, "dataset_sha256");
        d.model_file = whole(table, "model_file");
        d.images = count(table, "images");
        d.faults = count(table, "faults");
        d.chunks = count(table, "chunks");
        d.starts = count(table, "starts");
        d.started = instant(table, "started");
        d.ranks = count(table, "ranks");
        d.placement = whole(table, "placement");
        if (table.contains("deadline")) d.deadline = static_cast<std::time_t>(count(table, "deadline"));
        if (table.contains("ended")) d.ended = instant(table, "ended");
        d.reason = whole(table, "reason");
        d.job = whole(table, "job");
        return d;
    }
    catch (const FileError& error)
    {
        throw FileError("'{}' is no description of a campaign: {}", name, error.what());
    }
    catch (const std::exception&)
    {
        throw FileError("'{}' is no description of a campaign, or not a whole one", name);
    }
}

std::optional<CampaignDescription> read_description(const std::filesystem::path& out)
{
    const std::filesystem::path file = out / kDescriptionFile;
    std::error_code error;
    if (!std::filesystem::exists(file, error)) return std::nullopt;
    return parse_description(read_file(file, kLongestDescription), file.string());
}

void write_description(const std::filesystem::path& out, const CampaignDescription& description)
{
    try
    {
        write_file_durably(out / kDescriptionFile, describe_campaign(description));
    }
    catch (const FileError& error)
    {
        log_warning("'flipstorm status' will know less: {}", error.what());
    }
}

}  // namespace flipstorm
