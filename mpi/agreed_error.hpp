#pragma once
// An error that all ranks know of: each ends by itself, and only rank 0 reports it. Any other error on one
// rank has to bring down the others.

#include <string>

#include "engine/base/error.hpp"

namespace flipstorm
{

/// Carries the exit code of the error it stands for.
class AgreedError : public Error
{
  public:
    AgreedError(const std::string& message, ExitCode code) : Error("{}", message), code_(code) {}
    [[nodiscard]] ExitCode exit_code() const noexcept override { return code_; }

  private:
    ExitCode code_;
};

}  // namespace flipstorm
