// forest.h5 with edits, see hdf5_edits.hpp, and its table.

#include "analysis/tables.hpp"
#include "hdf5_edits.hpp"
#include "sample_records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    static const fuzz::GoodFile good(
        [](const std::filesystem::path& file) { write_forest(file, sample_forest()); });
    return good.read_with_edits(data, size, [](const auto& file) {
        const ForestRecord forest = read_forest(file);
        static_cast<void>(render_text(forest_table(forest)));
        static_cast<void>(render_text(models_table(forest)));
        static_cast<void>(render_text(importance_table(forest)));
    });
}
