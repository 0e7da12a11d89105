// Zip archives, as TorchScript files are: their members, and what `import` looks at in them before LibTorch
// does.

#include "engine/network/import/torchscript/pickle_check.hpp"
#include "engine/network/import/torchscript/script_text.hpp"
#include "engine/network/import/torchscript/zip_archive.hpp"
#include "harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    return fuzz::accept_errors([&] {
        constexpr std::uint64_t kLongest = std::uint64_t{1} << 20U;
        const std::string content = fuzz::text_of(data, size);
        for (const ZipMember& member : check_zip_archive(content, "model.pt"))
        {
            const std::string bytes = unpacked(member, kLongest, "model.pt");
            fuzz::expect(bytes.size() == member.size, "a checked member to have its size");
            static_cast<void>(
                pickle_problem(bytes, [](std::string_view) { return std::optional<std::uint64_t>(48); }));
            static_cast<void>(script_excess(bytes));
        }
    });
}
