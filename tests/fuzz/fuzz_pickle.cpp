// Pickles inside TorchScript files.

#include "engine/network/import/torchscript/pickle_check.hpp"
#include "harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    return fuzz::accept_errors([&] {
        const auto records = [](std::string_view key) {
            return key == "0" ? std::optional<std::uint64_t>(48) : std::nullopt;
        };
        static_cast<void>(pickle_problem(fuzz::text_of(data, size), records));
    });
}
