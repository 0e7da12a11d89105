#include "jobs/campaign/kinds/weight_work.hpp"

#include "jobs/campaign/kinds/weights.hpp"
#include "jobs/campaign/kinds/word_work.hpp"

namespace flipstorm
{
namespace
{

class WeightWork final : public WordWork
{
  public:
    WeightWork(const Campaign& campaign, const WeightFaults& faults, const EvaluationOptions& options)
        : WordWork(campaign, options), faults_(faults)
    {}

  private:
    LayerId tensor_of(LayerId layer) const override { return layer; }

    std::vector<ChangedWord> changed_words(FaultIndex fault) const override
    {
        const ListedFault* const listed = faults_.listed(fault);
        if (listed == nullptr || listed->sites.size() == 1)
        {
            const FaultyWeight weight =
                faulty_weight(campaign().network, faults_.layers(), faults_.plan(), fault);
            return {{weight.fault.layer, weight.fault.parameter, weight.word_after}};
        }
        std::vector<ChangedWord> changed;
        for (const ListedSite& site : listed->sites)
        {
            const StoredTensor golden = struck_tensor(campaign().network, tensor(site.layer));
            changed.push_back({site.layer, site.parameter, golden.word(site.parameter) ^ site.mask});
        }
        return changed;
    }

    const WeightFaults& faults_;
};

}  // namespace

WeightChange change_of(const Campaign& campaign, FaultIndex index)
{
    const FaultyWeight weight = faulty_weight(campaign.network, campaign.layers(), campaign.plan(), index);
    return {weight.fault.parameter, weight.after, index.value(), weight.word_after};
}

std::unique_ptr<ChunkWork> weight_work(const Context& context, const Campaign& campaign,
                                       const WeightFaults& faults)
{
    const EvaluationOptions options = shared_evaluation_options(context, campaign);
    std::unique_ptr<ChunkWork> work;
    on_all(context.world, [&] { work = std::make_unique<WeightWork>(campaign, faults, options); });
    return work;
}

}  // namespace flipstorm
