// protected.h5 with edits, see hdf5_edits.hpp, and what its memory reads as.

#include "hdf5_edits.hpp"
#include "sample_records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    static const fuzz::GoodFile good(
        [](const std::filesystem::path& file) { write_protected(file, sample_protected()); });
    return good.read_with_edits(data, size, [](const auto& file) {
        const ProtectedRecord memory = read_protected(file);
        for (std::size_t l = 0; l < memory.plan.size(); ++l)
            static_cast<void>(decoded(memory.plan[l], memory.layers[l]));
    });
}
