#include "jobs/campaign/kinds/weights.hpp"

#include <algorithm>
#include <utility>

#include "analysis/comparison.hpp"
#include "analysis/fault_population.hpp"
#include "analysis/variant_tables.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/sha256.hpp"
#include "engine/evaluate/results_revision.hpp"
#include "engine/memory/faulty_value.hpp"
#include "jobs/campaign/outcome_codec.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/resolve/plan_options.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{

WeightFaults::WeightFaults(std::vector<InjectableLayer> layers, const PlanOptions& options,
                           std::vector<ListedFault> listed)
    : layers_(std::move(layers)), plan_(layers_, options), images_(options.images), listed_(std::move(listed))
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

std::vector<std::vector<PlacedFault>> excluded_faults(const Job& job, const Network& network,
                                                      const std::vector<InjectableLayer>& layers)
{
    const std::string& file = job.campaign.exclude;
    if (file.empty()) return {};
    const CampaignRecord campaign = read_campaign(file);
    FS_CHECK(DataError, campaign.header.provenance.model_sha256 == digest(network),
             "campaign.exclude: '{}' is of another model than this job's", file);
    const UpsetModel upset = upset_model(job.campaign.fault_model, job.campaign.upset_bits);
    const UpsetModel theirs = upset_of(campaign.header);
    FS_CHECK(DataError, theirs.model == upset.model && theirs.bits == upset.bits,
             "campaign.exclude: the faults of '{}' are {}; those of this job are {} of {} bit(s)", file,
             describe_upset(campaign.header), to_string(upset.model), upset.bits);
    std::vector<std::vector<PlacedFault>> excluded(layers.size());
    std::vector<std::size_t> layer_of(campaign.header.layers.size());
    for (std::size_t l = 0; l < layer_of.size(); ++l)
    {
        const auto same = std::find_if(layers.begin(), layers.end(), [&](const InjectableLayer& layer) {
            return layer.name == campaign.header.layers.name[l];
        });
        // It may strike tensors that this job leaves alone.
        layer_of[l] = static_cast<std::size_t>(same - layers.begin());
    }
    const FaultTable& faults = campaign.faults;
    for (std::size_t row = 0; row < faults.size(); ++row)
    {
        const std::size_t layer = layer_of.at(static_cast<std::size_t>(faults.layer[row]));
        if (layer == layers.size()) continue;
        const WordFault word{faults.mask[row], static_cast<BitEffect>(faults.effect[row])};
        FS_CHECK(
            DataError,
            faults.parameter[row] < layers[layer].weights && belongs_to(upset, layers[layer].word_bits, word),
            "campaign.exclude: fault {} of '{}' is none of layer '{}'", row, file, layers[layer].name);
        excluded[layer].push_back({faults.parameter[row], word});
    }
    return excluded;
}

std::vector<std::shared_ptr<const BitValueIndex>> bit_values(const Network& network,
                                                             const std::vector<InjectableLayer>& layers)
{
    std::vector<std::shared_ptr<const BitValueIndex>> values;
    for (const InjectableLayer& layer : layers)
        values.push_back(std::make_shared<const BitValueIndex>(struck_tensor(network, layer)));
    return values;
}

std::unique_ptr<CampaignFaults> WeightKind::plan(const Job& job, const Network& network,
                                                 std::uint64_t images) const
{
    std::vector<InjectableLayer> layers = injectable_layers(network, struck_parameters(job));
    PlanOptions options = plan_options(job, layers, images);
    if (options.scheme == Scheme::data_aware) options.priors = layer_priors(network, layers);
    options.excluded = excluded_faults(job, network, layers);
    if (options.scheme == Scheme::guided) options.bit_values = bit_values(network, layers);
    std::vector<ListedFault> listed;
    if (!job.campaign.fault_list.empty())
    {
        listed = read_fault_list(job.campaign.fault_list, layers);
        options.listed = first_sites(listed, layers.size());
    }
    return std::make_unique<WeightFaults>(std::move(layers), options, std::move(listed));
}

std::string WeightKind::identity(const Job& job) const
{
    if (job.campaign.fault_list.empty()) return {};
    return "faults listed in " + sha256_hex(read_file(job.campaign.fault_list)) + "\n";
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

std::string WeightKind::target_name() const
{
    return target_names().at(static_cast<std::size_t>(target()));
}

FinishedFaults WeightKind::read_finished(const std::filesystem::path& file) const
{
    CampaignRecord campaign = read_campaign(file, target_name());
    return {std::move(campaign.header),
            std::move(campaign.faults.stratum),
            std::move(campaign.faults.layer),
            std::move(campaign.outcomes.drop),
            {}};
}

std::uint64_t WeightKind::overflowing_faults(const std::filesystem::path& file) const
{
    return flipstorm::overflowing_faults(read_campaign(file, target_name()));
}

StageEnd WeightKind::report(const Context& context, const StopRequest& stop) const
{
    return report_weights_on_root(context, stop);
}

void WeightKind::compare(ComparisonRecord& comparison, std::size_t variant, const std::filesystem::path& file,
                         double tolerance) const
{
    const CampaignRecord campaign = read_campaign(file, target_name());
    VariantResult& result = comparison.variants.at(variant);
    add_campaign_header(result, campaign.header, campaign.outcomes.size());
    add_weight_campaign(result, campaign, tolerance);
    add_tolerances(comparison, static_cast<std::int32_t>(variant), campaign);
}

}  // namespace flipstorm
