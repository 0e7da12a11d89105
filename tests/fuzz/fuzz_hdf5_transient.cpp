// campaign.h5 of faults in feature maps or, by the input's first bit, in instructions, with edits; see
// hdf5_edits.hpp.

#include "analysis/transient_report.hpp"
#include "hdf5_edits.hpp"
#include "sample_transient.hpp"

namespace
{

flipstorm::fuzz::GoodFile good_file(const flipstorm::TransientCampaignRecord& campaign)
{
    return flipstorm::fuzz::GoodFile([&campaign](const std::filesystem::path& file) {
        write_transient_campaign(file, campaign.header, campaign.faults, campaign.outcomes, 0,
                                 campaign.faults.size(), MPI_COMM_NULL);
    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    static const fuzz::GoodFile maps = good_file(sample_feature_maps());
    static const fuzz::GoodFile instructions = good_file(sample_instructions());
    const bool of_instructions = size > 0 && (data[0] & 1U) != 0;
    const std::size_t first = size > 0 ? 1 : 0;
    return (of_instructions ? instructions : maps)
        .read_with_edits(data + first, size - first, [](const auto& file) {
            const TransientCampaignRecord campaign = read_transient_campaign(file);
            static_cast<void>(render_transient_report(campaign, "fuzz"));
            for (const ResultTable& table : transient_tables(campaign))
                static_cast<void>(render_text(table));
        });
}
