#pragma once
// Who holds an out folder, as the text of its lock file tells, and whether that start of flipstorm can still
// be alive. Pure functions but for this_process(), process_is_alive() and host_name().

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace flipstorm
{

/// Name of this host, as the system gives it.
[[nodiscard]] std::string host_name();

/// A process that holds a lock. Empty texts: not known.
struct LockHolder
{
    std::string token;  ///< random; no other start has it
    std::string host;
    std::string machine;              ///< /etc/machine-id
    std::string boot;                 ///< changes with every boot of the host
    std::string pid_namespace;        ///< within which the process id means something
    std::int64_t pid = 0;             ///< rank 0
    std::uint64_t process_start = 0;  ///< clock ticks since boot; 0: not known
    std::string user;
    std::string started;  ///< UTC
    std::string slurm_cluster;
    std::string slurm_job;
    std::uint64_t slurm_restart = 0;  ///< how often Slurm has started the job again
    std::string command;
};

/// This process, with a fresh token.
[[nodiscard]] LockHolder this_process(const std::string& command_line);

/// Text of a lock file: a first line "flipstorm lock 1", then one "key: value" a line.
[[nodiscard]] std::string to_text(const LockHolder& holder);

/// The inverse of to_text(); keys that it does not know are skipped. None if this is no such text, or lacks
/// the token, letters and digits.
[[nodiscard]] std::optional<LockHolder> parse_holder(std::string_view text);

/// For messages: "anna on node17 (process 4242, Slurm job 77), started 2023-04-17T09:30:00Z: flipstorm run
/// j.toml".
[[nodiscard]] std::string describe(const LockHolder& holder);

/// Does the process run, seen from its own host and process namespace? A process that only waits to be reaped
/// does not. Where the system hides the start time, the same number counts as the same process.
[[nodiscard]] bool process_is_alive(std::int64_t pid, std::uint64_t process_start);

enum class LockState
{
    held,    ///< by a process that lives, or may
    silent,  ///< by one elsewhere that has given no sign of life for long: watch it, then take over
    dead,    ///< by one that cannot live any more
};

struct LockVerdict
{
    LockState state = LockState::held;
    std::string reason;  ///< of `silent` and `dead`: "its process is gone"
};

/// A holder elsewhere that has been silent for so long, in seconds, is likely dead.
inline constexpr double kLongSilence = 600;

/**
 * Can the holder of a lock still be alive?
 *
 * In this order: an earlier start of the same Slurm job is dead, for Slurm ends it before it starts the next;
 * a process of this boot and process namespace is asked for; a host that has been booted again has lost it;
 * any other one is judged by its last sign of life.
 *
 * \param holder  none: the lock file cannot be understood
 * \param self    the process that wants the folder
 * \param silence  seconds since the last sign of life, by the clock of the file system; a negative time means
 *                 that this clock was set back
 * \param alive   process_is_alive()
 */
[[nodiscard]] LockVerdict judge_lock(const std::optional<LockHolder>& holder, const LockHolder& self,
                                     double silence,
                                     const std::function<bool(std::int64_t, std::uint64_t)>& alive);

}  // namespace flipstorm
