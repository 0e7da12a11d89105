// The Python text inside TorchScript files.

#include "engine/network/import/torchscript/script_text.hpp"
#include "harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    return fuzz::accept_errors([&] { static_cast<void>(script_excess(fuzz::text_of(data, size))); });
}
