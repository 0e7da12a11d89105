#pragma once
// All ranks of a test program under tests/mpi; its main sets them up.

#include "mpi/session.hpp"

namespace flipstorm::test
{

[[nodiscard]] const MpiSession& session();
[[nodiscard]] const Communicator& world();

}  // namespace flipstorm::test
