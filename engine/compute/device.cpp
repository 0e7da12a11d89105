#include "engine/compute/device.hpp"

#include <fmt/format.h>

namespace flipstorm
{

std::string to_string(Device device)
{
    return device.cuda ? fmt::format("cuda:{}", device.index) : "cpu";
}

}  // namespace flipstorm
