// model.h5 of a network of whole numbers with edits, see hdf5_edits.hpp.

#include "hdf5_edits.hpp"
#include "sample_records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    static const fuzz::GoodFile good([](const std::filesystem::path& file) {
        write_model(file, sample_model_in(format_traits(NumberFormat::int8)));
    });
    return good.read_with_edits(data, size, [](const auto& file) { static_cast<void>(read_model(file)); });
}
