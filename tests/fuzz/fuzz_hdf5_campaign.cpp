// campaign.h5 of faults in weights with edits, see hdf5_edits.hpp: with every field set or, by the input's
// first bit, one that the analysis takes, whose report is made, too.

#include <cmath>

#include "analysis/report.hpp"
#include "analysis/tables.hpp"
#include "hdf5_edits.hpp"
#include "sample_records.hpp"
#include "tests/unit/analysis/sample_campaign.hpp"

namespace
{

using namespace flipstorm;

/// A campaign whose drops are those of its outcomes.
CampaignRecord whole_campaign()
{
    const auto weights = flipstorm::testing::sample_weights(flipstorm::testing::sample_layers());
    CampaignRecord campaign = flipstorm::testing::sample_campaign(weights);
    flipstorm::testing::add_screens(campaign);
    CampaignHeader& header = campaign.header;
    header.provenance = sample_provenance();
    header.fault_model = "bit_flip";
    for (std::int32_t image = 0; image < 1000; ++image)
    {
        header.golden.label.push_back(image % 10);
        header.golden.top1.push_back(image < 950 ? image % 10 : (image + 1) % 10);
        header.golden.margin.push_back(1 + static_cast<float>(image));
    }
    for (std::size_t i = 0; i < campaign.faults.size(); ++i)
    {
        const auto lost = static_cast<std::uint32_t>(std::lround(campaign.outcomes.drop[i] * 1000));
        campaign.outcomes.correct[i] = 950 - lost;
        campaign.outcomes.mismatches[i] = lost;
    }
    return campaign;
}

fuzz::GoodFile good_file(const CampaignRecord& campaign)
{
    return fuzz::GoodFile([&campaign](const std::filesystem::path& file) { write_whole(file, campaign); });
}

void report(const CampaignRecord& campaign)
{
    static_cast<void>(render_campaign_report(campaign, {"fuzz", {}}));
    const double tolerance = campaign.header.tolerances.front();
    for (const ResultTable& table : {critical_share_table(campaign), layer_share_table(campaign, tolerance),
                                     bit_share_table(campaign, tolerance)})
        static_cast<void>(render_text(table));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::GoodFile every_field = good_file(sample_campaign());
    static const fuzz::GoodFile whole = good_file(whole_campaign());
    const bool is_whole = size > 0 && (data[0] & 1U) != 0;
    const std::size_t first = size > 0 ? 1 : 0;
    return (is_whole ? whole : every_field)
        .read_with_edits(data + first, size - first, [&](const auto& file) {
            const CampaignRecord campaign = read_campaign(file);
            if (is_whole) report(campaign);
        });
}
