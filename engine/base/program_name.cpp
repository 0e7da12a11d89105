#include "engine/base/program_name.hpp"

namespace flipstorm
{
namespace
{

std::string& running()
{
    static std::string name = "flipstorm";
    return name;
}

}  // namespace

const std::string& program_name()
{
    return running();
}

void set_program_name(const std::string& name)
{
    running() = name;
}

}  // namespace flipstorm
