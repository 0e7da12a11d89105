#pragma once
// The pickles inside TorchScript files, looked at before LibTorch reads them: it believes what they say of
// the size of tensors and recurses as deep as their values are nested. Pure.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace flipstorm
{

/// Bytes of the record that holds a storage, by its key; none if there is no such record.
using RecordBytes = std::function<std::optional<std::uint64_t>(std::string_view key)>;

/// Deepest nesting of values. A module takes two or three levels.
inline constexpr std::size_t kPickleDepth = 500;

/**
 * Follow a pickle as LibTorch's unpickler would, without making its values.
 *
 * \return what is wrong, none if nothing is: a storage that is longer than its record, a tensor that reaches
 * beyond its storage, values or type names nested deeper than `depth`, or anything that PyTorch's pickler of
 * TorchScript does not write.
 */
[[nodiscard]] std::optional<std::string> pickle_problem(std::string_view pickle, const RecordBytes& records,
                                                        std::size_t depth = kPickleDepth);

}  // namespace flipstorm
