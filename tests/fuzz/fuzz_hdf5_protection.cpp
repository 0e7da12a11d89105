// protection.h5 with edits, see hdf5_edits.hpp, and its table.

#include "analysis/protection_tables.hpp"
#include "hdf5_edits.hpp"
#include "sample_records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    static const fuzz::GoodFile good(
        [](const std::filesystem::path& file) { write_protection(file, sample_protection()); });
    return good.read_with_edits(data, size, [](const auto& file) {
        const ProtectionRecord protection = read_protection(file);
        static_cast<void>(render_text(overhead_table(protection)));
        static_cast<void>(render_text(schemes_table(protection)));
        static_cast<void>(render_text(plan_table(protection)));
    });
}
