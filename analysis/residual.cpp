#include "analysis/residual.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "analysis/feature_table.hpp"
#include "analysis/split.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

std::vector<std::uint32_t> critical_of(const std::vector<std::uint32_t>& rows,
                                       const std::vector<std::uint8_t>& labels)
{
    std::vector<std::uint32_t> critical;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(critical),
                 [&labels](std::uint32_t row) { return labels[row] != 0; });
    return critical;
}

}  // namespace

HeldOut held_out(const CampaignRecord& campaign, const ForestRecord& forest)
{
    const std::vector<std::uint8_t> labels = critical_labels(campaign.outcomes, forest.tolerance);
    const ToleranceRecord* const record = trained_record(forest.tolerances, forest.tolerance);
    if (record == nullptr)
    {
        std::vector<std::uint32_t> rows(labels.size());
        std::iota(rows.begin(), rows.end(), 0U);
        return {critical_of(rows, labels), 1.0};
    }
    const auto critical =
        static_cast<std::uint64_t>(std::count(labels.begin(), labels.end(), std::uint8_t{1}));
    FS_CHECK(DataError, record->rows == labels.size() && record->critical == critical,
             "the forest was trained on {} faults, {} of them critical; the campaign has {}, {} of them "
             "critical: not the campaign it was made from",
             record->rows, record->critical, labels.size(), critical);
    const TrainTest split = stratified_split(labels, forest.test_share, forest.provenance.seed);
    HeldOut held{critical_of(split.test, labels), 1.0};
    if (forest.kind == "brf")
    {
        const auto trained = static_cast<double>(split.train.size());
        const auto of_critical = static_cast<double>(critical - held.critical.size());
        held.balance = (trained - of_critical) / of_critical;
    }
    return held;
}

double undo_balance(double probability, double balance)
{
    return probability / (probability + (1 - probability) * balance);
}

}  // namespace flipstorm
