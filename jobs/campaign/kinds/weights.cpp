#include "jobs/campaign/kinds/weights.hpp"

#include "analysis/comparison.hpp"
#include "analysis/fault_population.hpp"
#include "engine/evaluate/results_revision.hpp"
#include "engine/memory/faulty_value.hpp"
#include "jobs/bench/weight_bench.hpp"
#include "jobs/campaign/kinds/weight_rows.hpp"
#include "jobs/campaign/kinds/weight_work.hpp"
#include "jobs/campaign/outcome_codec.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/cost/weight_plan_text.hpp"
#include "jobs/resolve/plan_options.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

/// Faults in weights, planned.
class WeightFaults final : public CampaignFaults
{
  public:
    WeightFaults(std::vector<InjectableLayer> layers, const PlanOptions& options)
        : layers_(std::move(layers)), plan_(layers_, options), images_(options.images)
    {}

    [[nodiscard]] const std::vector<InjectableLayer>& layers() const override { return layers_; }
    [[nodiscard]] const Plan& plan() const override { return plan_; }
    [[nodiscard]] std::uint64_t images_per_fault() const override { return images_; }

    [[nodiscard]] bool may_overflow(const Network& network, FaultIndex fault) const override
    {
        const FaultyWeight weight = faulty_weight(network, layers_, plan_, fault);
        return flipstorm::may_overflow(weight.before, weight.after);
    }

    [[nodiscard]] std::unique_ptr<ChunkWork> work(const Context& context,
                                                  const Campaign& campaign) const override
    {
        return weight_work(context, campaign);
    }

    [[nodiscard]] std::string encode(const ChunkRecord& record) const override
    {
        return encode_record(record);
    }

    [[nodiscard]] ChunkRecord decode(const std::string& bytes, std::uint64_t count) const override
    {
        return decode_outcomes(bytes, count, images_);
    }

    void write(const Context& context, const Campaign& campaign, const Golden& golden,
               Harvest harvest) const override
    {
        write_weight_campaign(context, campaign, golden, std::move(harvest));
    }

    [[nodiscard]] std::string describe(const Context& context, const Campaign& campaign, bool trained,
                                       const StopRequest& stop) const override
    {
        return describe_weight_plan(context, campaign, trained, stop);
    }

    StageEnd bench(const Context& context, const Campaign& campaign, const std::vector<EvaluationMode>& modes,
                   const StopRequest& stop) const override
    {
        return run_weight_bench(context, campaign, modes, stop);
    }

  private:
    std::vector<InjectableLayer> layers_;
    Plan plan_;
    std::uint64_t images_;
};

}  // namespace

FaultyWeight faulty_weight(const Network& network, const std::vector<InjectableLayer>& layers,
                           const Plan& plan, FaultIndex index)
{
    const WeightFault fault = plan.fault(index);
    const InjectableLayer& layer = layers[static_cast<std::size_t>(fault.layer.value())];
    const StoredTensor& weight = network.parameters[layer.weight];
    return {fault, weight.values()[fault.parameter], weight.faulty_value(fault.parameter, fault.word)};
}

WeightChange change_of(const Campaign& campaign, FaultIndex index)
{
    const FaultyWeight weight = faulty_weight(campaign.network, campaign.layers(), campaign.plan(), index);
    return {weight.fault.parameter, weight.after, index.value()};
}

std::unique_ptr<CampaignFaults> WeightKind::plan(const Job& job, const Network& network,
                                                 std::uint64_t images) const
{
    std::vector<InjectableLayer> layers = injectable_layers(network);
    PlanOptions options = plan_options(job, network.format, images);
    if (options.scheme == Scheme::data_aware) options.priors = layer_priors(network, layers);
    return std::make_unique<WeightFaults>(std::move(layers), options);
}

std::string WeightKind::identity(const Job& /*job*/) const
{
    return {};
}

std::vector<std::uint64_t> WeightKind::populations(const CampaignHeader& header, std::size_t stratum,
                                                   const std::vector<std::uint64_t>& /*faults*/) const
{
    const UpsetModel upset = upset_of(header);
    std::vector<std::uint64_t> populations;
    for (std::size_t l = 0; l < header.layers.size(); ++l)
        populations.push_back(part_population(header, upset, stratum, l, -1));
    return populations;
}

FinishedFaults WeightKind::read_finished(const std::filesystem::path& file) const
{
    CampaignRecord campaign = read_campaign(file);
    return {std::move(campaign.header),
            std::move(campaign.faults.stratum),
            std::move(campaign.faults.layer),
            std::move(campaign.outcomes.drop),
            {}};
}

std::uint64_t WeightKind::overflowing_faults(const std::filesystem::path& file) const
{
    return flipstorm::overflowing_faults(read_campaign(file));
}

StageEnd WeightKind::report(const Context& context, const StopRequest& stop) const
{
    return report_weights_on_root(context, stop);
}

void WeightKind::compare(ComparisonRecord& comparison, std::size_t variant, const std::filesystem::path& file,
                         double tolerance) const
{
    const CampaignRecord campaign = read_campaign(file);
    VariantResult& result = comparison.variants.at(variant);
    add_campaign_header(result, campaign.header, campaign.outcomes.size());
    add_weight_campaign(result, campaign, tolerance);
}

}  // namespace flipstorm
