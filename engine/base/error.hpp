#pragma once
// The errors of flipstorm and the exit code each one stands for. A message says what is wrong, where (file,
// line, key), and what would be right. Only jobs/main.cpp catches them.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace flipstorm
{

/// What the process returns; the numbers are those of sysexits.h.
enum class ExitCode : int
{
    complete = 0,   ///< all that was asked is done
    usage = 64,     ///< command line or job file
    data = 65,      ///< bad input data
    internal = 70,  ///< a defect of flipstorm
    io = 74,        ///< I/O error or corrupt file
    stopped = 75,   ///< stopped with progress saved: run the same command again
};

/// Base of all errors; on its own it means a broken assumption inside flipstorm.
class Error : public std::runtime_error
{
  public:
    template<class... Args>
    explicit Error(fmt::format_string<Args...> format, Args&&... args)
        : std::runtime_error(fmt::format(format, std::forward<Args>(args)...))
    {}

    /// Exit code of a process that ends with this error.
    [[nodiscard]] virtual ExitCode exit_code() const noexcept { return ExitCode::internal; }
};

/// The job file or the command line asks for something that cannot be.
class JobError : public Error
{
  public:
    using Error::Error;
    [[nodiscard]] ExitCode exit_code() const noexcept override { return ExitCode::usage; }
};

/// Input data (images, labels, a model's values) are not what they should be.
class DataError : public Error
{
  public:
    using Error::Error;
    [[nodiscard]] ExitCode exit_code() const noexcept override { return ExitCode::data; }
};

/// A file cannot be read or written, or its content is corrupt.
class FileError : public Error
{
  public:
    using Error::Error;
    [[nodiscard]] ExitCode exit_code() const noexcept override { return ExitCode::io; }
};

/// An MPI call failed.
class MpiError : public Error
{
  public:
    using Error::Error;
};

}  // namespace flipstorm

/// Throws `ErrorType` with a formatted message unless `condition` holds. Always on.
#define FS_CHECK(ErrorType, condition, ...)             \
    do                                                  \
    {                                                   \
        if (!(condition)) throw ErrorType(__VA_ARGS__); \
    } while (false)

/// An assumption of flipstorm's own code that is always checked: throws flipstorm::Error.
#define FS_REQUIRE(condition, ...) FS_CHECK(::flipstorm::Error, condition, __VA_ARGS__)

/// A contract checked in debug builds only.
#ifdef NDEBUG
#define FS_ASSERT(condition) static_cast<void>(0)
#else
#define FS_ASSERT(condition) \
    FS_REQUIRE(condition, "contract broken: {} ({}:{})", #condition, __FILE__, __LINE__)
#endif
