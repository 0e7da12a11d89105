#pragma once
// Built-in architectures for the tests of networks, untrained.

#include <cstdint>
#include <string>

#include "engine/network/builders.hpp"

namespace flipstorm::test
{

inline Network lenet()
{
    return build_network("lenet5", {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1);
}

inline Network resnet(const std::string& arch, const BuildOptions& options = {}, std::int32_t classes = 10)
{
    return build_network(arch, {3, 32, 32}, classes, {{0, 0, 0}, {1, 1, 1}}, 1, options);
}

}  // namespace flipstorm::test
