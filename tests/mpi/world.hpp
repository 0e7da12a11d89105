#pragma once
// All ranks of a test program under tests/mpi; its main sets them up.

#include "mpi/session.hpp"

namespace flipstorm::test
{

[[nodiscard]] MpiSession const& session();
[[nodiscard]] Communicator const& world();

}  // namespace flipstorm::test
