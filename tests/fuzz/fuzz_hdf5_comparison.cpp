// comparison.h5 with edits, see hdf5_edits.hpp, and its page.

#include "analysis/comparison.hpp"
#include "hdf5_edits.hpp"
#include "sample_records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    static const fuzz::GoodFile good(
        [](const std::filesystem::path& file) { write_comparison(file, sample_comparison()); });
    return good.read_with_edits(data, size, [](const auto& file) {
        const ComparisonRecord comparison = read_comparison(file);
        static_cast<void>(render_comparison(comparison, "fuzz", {"regret", "weights", "protection"}));
        static_cast<void>(render_text(relative_table(comparison)));
    });
}
