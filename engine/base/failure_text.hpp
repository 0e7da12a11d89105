#pragma once
// What libraries say when they fail, as a user should read it.

#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.hpp"

namespace flipstorm
{

/// Memory that is needed is not there. Names what it was for. Exit code 70: it is neither a bad file nor a
/// wrong job, and the same command may succeed on a larger node.
class MemoryError : public Error
{
  public:
    using Error::Error;
};

/// The message of an exception without LibTorch's stack trace, on one line.
[[nodiscard]] std::string plain_message(std::string_view what);

/// Is this the message of an allocation that failed, on the host or on a GPU, or of a thread without room?
[[nodiscard]] bool tells_of_memory(std::string_view what);

/// The limit of the address space of this process (ulimit -v) in bytes; none if there is none.
[[nodiscard]] std::optional<std::uint64_t> address_space_limit();

/// "out of memory while WHAT", with the limit that this process has, if any, and what to do.
[[nodiscard]] std::string memory_message(std::string_view what);

/// Do something; if memory runs out, say what it was for. `what`: "reading 'campaign.h5'". \throws
/// MemoryError
template<class Work>
auto naming_memory(std::string_view what, Work&& work)
{
    try
    {
        return work();
    }
    catch (const std::bad_alloc&)
    {
        throw MemoryError("{}", memory_message(what));
    }
    catch (const Error&)
    {
        throw;
    }
    catch (const std::exception& error)
    {
        if (!tells_of_memory(error.what())) throw;
        throw MemoryError("{} ({})", memory_message(what), plain_message(error.what()));
    }
}

}  // namespace flipstorm
