#include "engine/base/standard_output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace flipstorm
{
namespace
{

std::atomic<int> first_error{0};

void remember(int error)
{
    int none = 0;
    first_error.compare_exchange_strong(none, error != 0 ? error : EIO);
}

}  // namespace

void print_text(std::string_view text) noexcept
{
    if (first_error != 0 || text.empty()) return;
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) remember(errno);
}

void print_error(std::string_view text) noexcept
{
    static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr) == text.size());
    std::fflush(stderr);
}

void flush_output() noexcept
{
    errno = 0;
    if (std::fflush(stdout) != 0) remember(errno);
}

std::string output_problem()
{
    flush_output();
    const int error = first_error;
    return error == 0 ? std::string()
                      : fmt::format("cannot write to standard output: {}; what was printed is not complete",
                                    std::strerror(error));
}

void occupy_standard_descriptors() noexcept
{
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    {
        if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest free number is the one that is missing.
        const int flags = descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY;
        const int opened = ::open("/dev/null", flags);
        if (opened >= 0 && opened != descriptor) ::close(opened);
    }
}

}  // namespace flipstorm
