#include "mpi/lock_holder.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

#include "engine/base/printable_text.hpp"
#include "engine/base/timing.hpp"

namespace flipstorm
{
namespace
{

constexpr std::size_t kLongestToken = 64;
constexpr std::string_view kFirstLine = "flipstorm lock 1\n";

/// First line of a file; empty if it cannot be read.
std::string line_of(const char* name)
{
    std::ifstream file(name);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string variable(const char* name)
{
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

template<class Int>
Int number(std::string_view text)
{
    Int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string user_name()
{
    const struct passwd* const entry = ::getpwuid(::getuid());
    return entry == nullptr ? fmt::format("uid {}", ::getuid()) : entry->pw_name;
}

/// State and start time of a process, fields 3 and 22 of /proc/PID/stat; none if the system does not tell.
struct ProcessStat
{
    char state = '?';
    std::uint64_t start = 0;
};

std::optional<ProcessStat> process_stat(std::int64_t pid)
{
    const std::string line = line_of(fmt::format("/proc/{}/stat", pid).c_str());
    const std::size_t name_end = line.rfind(')');  // the name, field 2, may hold anything
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream fields(line.substr(name_end + 1));
    ProcessStat stat;
    if (!(fields >> stat.state)) return std::nullopt;
    std::string skipped;
    for (int field = 4; field < 22; ++field)
        fields >> skipped;
    if (!(fields >> stat.start)) return std::nullopt;
    return stat;
}

/// Every value of a holder with its key, in the order of the file, `token` first and `command` last.
template<class Holder, class Visit>
void visit_fields(Holder& holder, Visit&& visit)
{
    visit("token", holder.token);
    visit("host", holder.host);
    visit("machine", holder.machine);
    visit("boot", holder.boot);
    visit("pid_namespace", holder.pid_namespace);
    visit("pid", holder.pid);
    visit("process_start", holder.process_start);
    visit("user", holder.user);
    visit("started", holder.started);
    visit("slurm_cluster", holder.slurm_cluster);
    visit("slurm_job", holder.slurm_job);
    visit("slurm_restart", holder.slurm_restart);
    visit("command", holder.command);
}

void assign(std::string& value, std::string_view text)
{
    value = text;
}
void assign(std::int64_t& value, std::string_view text)
{
    value = number<std::int64_t>(text);
}
void assign(std::uint64_t& value, std::string_view text)
{
    value = number<std::uint64_t>(text);
}

bool known_and_equal(const std::string& a, const std::string& b)
{
    return !a.empty() && a == b;
}

}  // namespace

std::string host_name()
{
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
    return name.data();
}

LockHolder this_process(const std::string& command_line)
{
    LockHolder self;
    std::random_device random;
    self.token = fmt::format("{:08x}{:08x}", random(), random());
    self.host = host_name();
    self.machine = line_of("/etc/machine-id");
    self.boot = line_of("/proc/sys/kernel/random/boot_id");
    std::array<char, 64> link{};
    if (::readlink("/proc/self/ns/pid", link.data(), link.size() - 1) > 0) self.pid_namespace = link.data();
    self.pid = ::getpid();
    if (const auto stat = process_stat(self.pid)) self.process_start = stat->start;
    self.user = user_name();
    self.started = utc_timestamp(epoch_seconds());
    self.slurm_cluster = variable("SLURM_CLUSTER_NAME");
    self.slurm_job = variable("SLURM_JOB_ID");
    self.slurm_restart = number<std::uint64_t>(variable("SLURM_RESTART_COUNT"));
    self.command = command_line;
    return self;
}

std::string to_text(const LockHolder& holder)
{
    std::string text(kFirstLine);
    visit_fields(holder, [&text](const char* key, const auto& value) {
        text += fmt::format("{}: {}\n", key, printable(fmt::format("{}", value)));
    });
    return text;
}

std::optional<LockHolder> parse_holder(std::string_view text)
{
    if (text.substr(0, kFirstLine.size()) != kFirstLine) return std::nullopt;
    text.remove_prefix(kFirstLine.size());
    LockHolder holder;
    while (!text.empty())
    {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::size_t colon = line.find(": ");
        if (colon == std::string_view::npos) continue;
        visit_fields(holder, [&](const char* key, auto& value) {
            if (line.substr(0, colon) == key) assign(value, line.substr(colon + 2));
        });
    }
    // It becomes part of file names.
    const bool is_token = !holder.token.empty() && holder.token.size() <= kLongestToken &&
                          std::all_of(holder.token.begin(), holder.token.end(),
                                      [](unsigned char c) { return std::isalnum(c) != 0; });
    if (!is_token) return std::nullopt;
    return holder;
}

std::string describe(const LockHolder& holder)
{
    const std::string job = holder.slurm_job.empty() ? "" : fmt::format(", Slurm job {}", holder.slurm_job);
    return fmt::format("{} on {} (process {}{}), started {}: {}", holder.user, holder.host, holder.pid, job,
                       holder.started, holder.command);
}

bool process_is_alive(std::int64_t pid, std::uint64_t process_start)
{
    const auto id = static_cast<pid_t>(pid);
    if (id <= 0 || id != pid) return false;
    if (::kill(id, 0) != 0 && errno == ESRCH) return false;
    const auto stat = process_stat(pid);
    if (!stat) return true;  // hidden, as other users' processes are on some hosts
    if (stat->state == 'Z' || stat->state == 'X') return false;
    return process_start == 0 || stat->start == process_start;
}

LockVerdict judge_lock(const std::optional<LockHolder>& holder, const LockHolder& self, double silence,
                       const std::function<bool(std::int64_t, std::uint64_t)>& alive)
{
    if (holder)
    {
        if (known_and_equal(holder->slurm_job, self.slurm_job) &&
            holder->slurm_cluster == self.slurm_cluster && holder->slurm_restart < self.slurm_restart)
        {
            return {LockState::dead, "Slurm has started the same job again"};
        }
        if (known_and_equal(holder->boot, self.boot) && holder->pid_namespace == self.pid_namespace)
        {
            if (alive(holder->pid, holder->process_start)) return {};
            return {LockState::dead, "its process is gone"};
        }
        if (known_and_equal(holder->host, self.host) && holder->machine == self.machine &&
            !holder->boot.empty() && !self.boot.empty() && holder->boot != self.boot)
        {
            return {LockState::dead, "its host has been booted again"};
        }
    }
    if (silence > kLongSilence)
    {
        return {LockState::silent, fmt::format("no sign of life for {:.0f} minutes", silence / 60)};
    }
    if (silence < -kLongSilence)
    {
        return {LockState::silent,
                fmt::format("its last sign of life is {:.0f} minutes in the future", -silence / 60)};
    }
    return {};
}

}  // namespace flipstorm
