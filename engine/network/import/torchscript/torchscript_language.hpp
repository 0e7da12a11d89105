#pragma once
// What TorchScript's language does by itself: constants, attributes, lists and tuples. Nothing of it computes
// with tensors, so that it goes through with values that are known and others alike. Internal to the import;
// this header brings in LibTorch.

#include <optional>
#include <vector>

#include "engine/network/import/torchscript/torchscript_call.hpp"

namespace flipstorm::torchscript
{

/// Results of a constant, an attribute, a list or tuple that is made or unpacked, a cast, a message; nothing
/// for all else. \throws DataError, as Call::refuse.
std::optional<std::vector<Abstract>> run_statement(const Call& call);

/// The same of operations on lists that hold something unknown, or may come to.
std::optional<std::vector<Abstract>> run_on_list(const Call& call);

}  // namespace flipstorm::torchscript
