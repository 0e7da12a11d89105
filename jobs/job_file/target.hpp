#pragma once
// What faults strike: the values of campaign.target, and what the rules of a job ask of each. What a campaign
// does with them is in jobs/campaign/kinds.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace flipstorm
{

struct Job;

/// What faults strike.
enum class Target : std::uint8_t
{
    weights,           ///< stored words
    feature_maps,      ///< values between two operations, while the network computes
    instructions,      ///< instructions of a layer's dot products, while the network computes
    protected_memory,  ///< stored words and check bits of a network under codes
};

inline constexpr std::size_t kTargets = 4;

/// What the rules of a job ask of a target.
struct TargetTraits
{
    Target target;
    const char* name;         ///< the value of campaign.target
    bool transient;           ///< [transient] says what the faults look like; they are evaluated exactly
    const char* paper_value;  ///< transient.value where transient.rules = "paper"
};

/// The target of a name; null for a name that is none.
[[nodiscard]] const TargetTraits* find_target(const std::string& name);

/// The same of a name that may come from a file. \throws JobError naming the known ones
[[nodiscard]] const TargetTraits& target_named(const std::string& name);

/// The target of a job. \throws as target_named
[[nodiscard]] const TargetTraits& target_of(const Job& job);

/// All names.
[[nodiscard]] std::vector<std::string> target_names();

}  // namespace flipstorm
