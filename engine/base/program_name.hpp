#pragma once
// The name of the running program, for messages that say what to run.

#include <string>

namespace flipstorm
{

/// "flipstorm" until it is set.
[[nodiscard]] const std::string& program_name();

/// Not while threads run.
void set_program_name(const std::string& name);

}  // namespace flipstorm
