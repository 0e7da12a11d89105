#include "jobs/campaign/kinds/weights.hpp"

#include <utility>

#include "analysis/comparison.hpp"
#include "analysis/fault_population.hpp"
#include "analysis/variant_tables.hpp"
#include "engine/evaluate/results_revision.hpp"
#include "engine/memory/faulty_value.hpp"
#include "jobs/campaign/outcome_codec.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/resolve/plan_options.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{

WeightFaults::WeightFaults(std::vector<InjectableLayer> layers, const PlanOptions& options)
    : layers_(std::move(layers)), plan_(layers_, options), images_(options.images)
{}

bool WeightFaults::may_overflow(const Network& network, FaultIndex fault) const
{
    const FaultyWeight weight = faulty_weight(network, layers_, plan_, fault);
    return flipstorm::may_overflow(weight.before, weight.after);
}

std::string WeightFaults::encode(const ChunkRecord& record) const
{
    return encode_record(record);
}

ChunkRecord WeightFaults::decode(const std::string& bytes, std::uint64_t count) const
{
    return decode_outcomes(bytes, count, images_);
}

FaultyWeight faulty_weight(const Network& network, const std::vector<InjectableLayer>& layers,
                           const Plan& plan, FaultIndex index)
{
    const WeightFault fault = plan.fault(index);
    const InjectableLayer& layer = layers[static_cast<std::size_t>(fault.layer.value())];
    const StoredTensor weight = struck_tensor(network, layer);
    const std::uint32_t word = weight.word_under(fault.parameter, fault.word);
    return {fault, weight.values()[fault.parameter], weight.decoded(fault.parameter, word), word};
}

std::unique_ptr<CampaignFaults> WeightKind::plan(const Job& job, const Network& network,
                                                 std::uint64_t images) const
{
    std::vector<InjectableLayer> layers = injectable_layers(network, struck_parameters(job));
    PlanOptions options = plan_options(job, layers, images);
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
    add_tolerances(comparison, static_cast<std::int32_t>(variant), campaign);
}

}  // namespace flipstorm
