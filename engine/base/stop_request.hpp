#pragma once
// How long work is told to end early. Who does the work asks between two pieces of it, from any thread; what
// makes the answer yes (a signal, a deadline, a file) is not its business.

#include <functional>

#include "engine/base/error.hpp"

namespace flipstorm
{

/// Has the user asked to stop? Cheap and thread-safe; once true it stays so. Empty: never.
using StopRequest = std::function<bool()>;

/// Work that a StopRequest ended: no failure, and nobody's message.
class Stopped : public Error
{
  public:
    Stopped() : Error("stopped") {}
    [[nodiscard]] ExitCode exit_code() const noexcept override { return ExitCode::stopped; }
};

/// \throws Stopped if the user has asked to.
inline void stop_if_asked(const StopRequest& asked)
{
    if (asked && asked()) throw Stopped();
}

}  // namespace flipstorm
