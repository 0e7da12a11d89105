#pragma once
// What a pickle says of storages and tensors, held against what is there. Internal to the check of pickles.

#include <vector>

#include "engine/network/import/torchscript/pickle_check.hpp"
#include "engine/network/import/torchscript/pickle_stack.hpp"

namespace flipstorm::pickle
{

/// The storage that an id names: ("storage", class, key, device, elements). \throws Problem if it is longer
/// than its record
Value storage_of(const Value& id, const RecordBytes& records);

/// \param arguments  of the function that makes it: (storage, offset, sizes, strides, …)
/// \throws Problem if the tensor reaches beyond its storage
void check_tensor(const std::vector<Value>& arguments);

}  // namespace flipstorm::pickle
