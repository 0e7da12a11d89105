#pragma once
// The Python text inside TorchScript files, looked at before LibTorch parses it. Its parser and what walks
// over its trees recurse for every level of an expression, so that a text of 50 kB can exhaust the stack.
// Pure.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace flipstorm
{

/// What a text may have at most. What PyTorch writes has a small part of it.
struct ScriptLimits
{
    std::size_t height = 500;  ///< of an expression's tree
    std::size_t blocks = 100;  ///< in each other
    std::size_t elifs = 500;   ///< in all: a chain of them is as deep as it is long
};

/// Why a text would be parsed too deep, with its line; none if it would not.
[[nodiscard]] std::optional<std::string> script_excess(std::string_view text,
                                                       const ScriptLimits& limits = {});

}  // namespace flipstorm
