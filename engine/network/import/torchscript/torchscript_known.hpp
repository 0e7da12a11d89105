#pragma once
// Operations of TorchScript whose result is known without images. Internal to the import; this header brings
// in LibTorch.

#include <optional>
#include <vector>

#include "engine/network/import/torchscript/torchscript_call.hpp"

namespace flipstorm::torchscript
{

/// Whether none depends on the images.
bool all_known(const std::vector<Abstract>& arguments);

/// Results of an operation of which all arguments are known, and which has a schema; LibTorch runs it.
/// \throws DataError, as Call::refuse, if it fails, is random, or changes the module.
std::vector<Abstract> run_known(const Call& call);

/// Views of a stored tensor that keep its name; nothing for all else.
std::optional<Known> view_of_stored(const Call& call);

/// Questions about a tensor of the network that have an answer without images; nothing for all else.
std::optional<std::vector<Abstract>> ask_tensor(const Call& call);

}  // namespace flipstorm::torchscript
