// The lock of an out folder, as someone else may have written it.

#include "harness.hpp"
#include "mpi/lock_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    return fuzz::accept_errors([&] {
        const std::optional<LockFile> lock =
            read_lock(fuzz::write_input(kLockFile, fuzz::text_of(data, size)));
        fuzz::expect(lock.has_value(), "a lock that is there to be found");
        static const LockHolder self = this_process("flipstorm run job.toml");
        const auto lives = [](std::int64_t, std::uint64_t) { return true; };
        for (const double silence : {-1.0, 0.0, 1e6})
            static_cast<void>(judge_lock(lock->holder, self, silence, lives));
        if (!lock->holder) return;
        static_cast<void>(process_is_alive(lock->holder->pid, lock->holder->process_start));
        static_cast<void>(describe(*lock->holder));
        const std::optional<LockHolder> again = parse_holder(to_text(*lock->holder));
        fuzz::expect(again && again->token == lock->holder->token, "the holder to be the same");
    });
}
