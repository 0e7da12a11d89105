// memory.h5 with edits, see hdf5_edits.hpp.

#include "hdf5_edits.hpp"
#include "sample_records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    static const fuzz::GoodFile good(
        [](const std::filesystem::path& file) { write_memory(file, sample_memory()); });
    return good.read_with_edits(data, size, [](const auto& file) { static_cast<void>(read_memory(file)); });
}
