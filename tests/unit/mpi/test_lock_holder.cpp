// Who holds a lock, as text, and whether it can still be alive.

#include "mpi/lock_holder.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>

namespace flipstorm
{
namespace
{

LockHolder sample()
{
    LockHolder holder;
    holder.token = "0123456789abcdef";
    holder.host = "node17";
    holder.machine = "machine";
    holder.boot = "boot1";
    holder.pid_namespace = "pid:[1]";
    holder.pid = 4242;
    holder.process_start = 99;
    holder.user = "anna";
    holder.started = "2023-04-17T09:30:00Z";
    holder.command = "flipstorm run job.toml --set a=b: c";
    return holder;
}

const auto kAlive = [](std::int64_t, std::uint64_t) { return true; };
const auto kGone = [](std::int64_t, std::uint64_t) { return false; };
const auto kUnasked = [](std::int64_t, std::uint64_t) -> bool {
    ADD_FAILURE() << "a process of elsewhere was asked for";
    return true;
};

TEST(LockHolder, TextComesBack)
{
    LockHolder holder = sample();
    holder.slurm_cluster = "alps";
    holder.slurm_job = "77";
    holder.slurm_restart = 3;
    const std::string text = to_text(holder);
    const auto back = parse_holder(text);
    ASSERT_TRUE(back);
    EXPECT_EQ(to_text(*back), text);
    EXPECT_EQ(back->token, holder.token);
    EXPECT_EQ(back->pid, 4242);
    EXPECT_EQ(back->process_start, 99U);
    EXPECT_EQ(back->slurm_restart, 3U);
    EXPECT_EQ(back->command, holder.command);
    EXPECT_EQ(back->slurm_job, "77");
}

TEST(LockHolder, TextOfTheFile)
{
    EXPECT_EQ(to_text(sample()),
              "flipstorm lock 1\ntoken: 0123456789abcdef\nhost: node17\nmachine: machine\nboot: boot1\n"
              "pid_namespace: pid:[1]\npid: 4242\nprocess_start: 99\nuser: anna\n"
              "started: 2023-04-17T09:30:00Z\nslurm_cluster: \nslurm_job: \nslurm_restart: 0\n"
              "command: flipstorm run job.toml --set a=b: c\n");
    LockHolder lines = sample();
    lines.command = "flipstorm --set 'a\ntoken: false'";
    EXPECT_EQ(parse_holder(to_text(lines))->token, lines.token);
}

TEST(LockHolder, OtherTextsAreNone)
{
    const std::string text = to_text(sample());
    EXPECT_FALSE(parse_holder(""));
    EXPECT_FALSE(parse_holder("flipstorm lock 2\n" + text.substr(text.find('\n') + 1)));
    EXPECT_FALSE(parse_holder(text.substr(0, 20)));
    EXPECT_FALSE(parse_holder("flipstorm lock 1\nhost: node17\n"));
    EXPECT_TRUE(parse_holder("flipstorm lock 1\nlater: key\ntoken: t\nno colon\n"));
}

TEST(LockHolder, DescribesItself)
{
    LockHolder holder = sample();
    EXPECT_EQ(
        describe(holder),
        "anna on node17 (process 4242), started 2023-04-17T09:30:00Z: flipstorm run job.toml --set a=b: c");
    holder.slurm_job = "77";
    EXPECT_NE(describe(holder).find("(process 4242, Slurm job 77)"), std::string::npos);
}

TEST(LockHolder, ThisProcess)
{
    const LockHolder self = this_process("flipstorm run");
    EXPECT_EQ(self.pid, ::getpid());
    EXPECT_EQ(self.host, host_name());
    EXPECT_NE(self.user, "");
    EXPECT_NE(self.token, this_process("").token);
    EXPECT_TRUE(process_is_alive(self.pid, self.process_start));
}

TEST(LockHolder, AliveIsTheSameProcessOnly)
{
    const LockHolder self = this_process("");
    ASSERT_GT(self.process_start, 0U) << "no /proc";
    EXPECT_FALSE(process_is_alive(self.pid, self.process_start + 1)) << "another process with its number";
    EXPECT_TRUE(process_is_alive(self.pid, 0));
    EXPECT_FALSE(process_is_alive(0, 0));
    EXPECT_FALSE(process_is_alive(-1, 0));
    EXPECT_FALSE(process_is_alive(std::int64_t{1} << 32U, 0));
}

TEST(LockHolder, AKilledProcessIsDeadBeforeItIsReaped)
{
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0)
    {
        ::pause();
        ::_exit(0);
    }
    EXPECT_TRUE(process_is_alive(child, 0));
    ::kill(child, SIGKILL);
    siginfo_t info;
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_FALSE(process_is_alive(child, 0));
    ::waitpid(child, nullptr, 0);
    EXPECT_FALSE(process_is_alive(child, 0));
}

TEST(JudgeLock, SameBootIsAQuestionOfTheProcess)
{
    const LockHolder holder = sample();
    EXPECT_EQ(judge_lock(holder, sample(), 1e6, kAlive).state, LockState::held);
    const LockVerdict gone = judge_lock(holder, sample(), 0, kGone);
    EXPECT_EQ(gone.state, LockState::dead);
    EXPECT_EQ(gone.reason, "its process is gone");
    LockHolder renamed = sample();
    renamed.host = "another name of the same host";
    EXPECT_EQ(judge_lock(holder, renamed, 0, kGone).state, LockState::dead);
}

TEST(JudgeLock, AnotherProcessNamespaceIsElsewhere)
{
    LockHolder self = sample();
    self.pid_namespace = "pid:[2]";
    EXPECT_EQ(judge_lock(sample(), self, 10, kUnasked).state, LockState::held);
    EXPECT_EQ(judge_lock(sample(), self, 601, kUnasked).state, LockState::silent);
}

TEST(JudgeLock, AHostThatWasBootedAgain)
{
    LockHolder self = sample();
    self.boot = "boot2";
    EXPECT_EQ(judge_lock(sample(), self, 10, kUnasked).state, LockState::dead);
    self.machine = "another with the same name";
    EXPECT_EQ(judge_lock(sample(), self, 10, kUnasked).state, LockState::held);
    self = sample();
    self.boot.clear();  // not known
    EXPECT_EQ(judge_lock(sample(), self, 10, kUnasked).state, LockState::held);
}

TEST(JudgeLock, ElsewhereTheLastSignOfLifeCounts)
{
    LockHolder self = sample();
    self.host = "node18";
    self.boot = "boot2";
    EXPECT_EQ(judge_lock(sample(), self, 0, kUnasked).state, LockState::held);
    EXPECT_EQ(judge_lock(sample(), self, 600, kUnasked).state, LockState::held);
    EXPECT_EQ(judge_lock(sample(), self, 660, kUnasked).state, LockState::silent);
    EXPECT_EQ(judge_lock(sample(), self, 660, kUnasked).reason, "no sign of life for 11 minutes");
    // The clock of the file system was set back by an hour.
    EXPECT_EQ(judge_lock(sample(), self, -3600, kUnasked).state, LockState::silent);
    EXPECT_EQ(judge_lock(sample(), self, -30, kUnasked).state, LockState::held);
}

TEST(JudgeLock, AnUnreadableLockIsJudgedByItsAge)
{
    EXPECT_EQ(judge_lock(std::nullopt, sample(), 5, kUnasked).state, LockState::held);
    EXPECT_EQ(judge_lock(std::nullopt, sample(), 700, kUnasked).state, LockState::silent);
}

TEST(JudgeLock, ALaterStartOfTheSameSlurmJob)
{
    LockHolder holder = sample();
    holder.slurm_job = "77";
    LockHolder self = holder;
    self.host = "node18";
    self.boot = "boot2";
    EXPECT_EQ(judge_lock(holder, self, 10, kUnasked).state, LockState::held) << "the same start";
    self.slurm_restart = 1;
    EXPECT_EQ(judge_lock(holder, self, 10, kUnasked).state, LockState::dead);
    self.slurm_job = "78";
    EXPECT_EQ(judge_lock(holder, self, 10, kUnasked).state, LockState::held);
    self.slurm_job = "77";
    self.slurm_cluster = "another";
    EXPECT_EQ(judge_lock(holder, self, 10, kUnasked).state, LockState::held);
    holder.slurm_job.clear();  // without Slurm
    self = holder;
    self.boot = "boot2";
    self.host = "node18";
    self.slurm_restart = 1;
    EXPECT_EQ(judge_lock(holder, self, 10, kUnasked).state, LockState::held);
}

}  // namespace
}  // namespace flipstorm
