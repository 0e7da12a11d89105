#include "jobs/campaign/kinds/transient.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "analysis/comparison.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/campaign/transient_codec.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/resolve/plan_options.hpp"
#include "jobs/stages/stages.hpp"

namespace flipstorm
{
namespace
{

/// A value of transient.value.
struct ErrorKind
{
    const char* name;
    ErrorValue (*value)(const TransientTable&);
    std::string (*text)(const TransientTable&);
};

const std::array<ErrorKind, 4> kErrorKinds{{
    {"uniform", [](const TransientTable& table) -> ErrorValue { return UniformError{table.magnitude}; },
     [](const TransientTable& table) { return fmt::format("uniform on [0, {})", table.magnitude); }},
    {"power_law", [](const TransientTable& table) -> ErrorValue { return power_law(table.power_law); },
     [](const TransientTable& table) { return fmt::format("of the power law {}", table.power_law); }},
    {"table", [](const TransientTable& table) -> ErrorValue { return read_error_table(table.table); },
     [](const TransientTable& table) { return fmt::format("from '{}'", table.table); }},
    {"bit_flip", [](const TransientTable& /*table*/) -> ErrorValue { return BitError{}; },
     [](const TransientTable& /*table*/) { return std::string("a bit of the stored word"); }},
}};

const ErrorKind& error_kind(const TransientTable& table)
{
    const auto found = std::find_if(kErrorKinds.begin(), kErrorKinds.end(),
                                    [&](const ErrorKind& kind) { return table.value == kind.name; });
    FS_CHECK(JobError, found != kErrorKinds.end(), "transient.value = \"{}\" is not known", table.value);
    return *found;
}

/// Sample sizes such that every test image is struck `injections` times, strata alike.
void ask_for_injections(TransientPlanOptions& options, std::int64_t injections, std::uint64_t strata)
{
    const std::uint64_t struck =
        options.images_per_fault == 0 ? options.plan.images : options.images_per_fault;
    const double faults =
        std::ceil(static_cast<double>(injections) * static_cast<double>(options.plan.images) /
                  static_cast<double>(struck * strata));
    // The sample size of an unbounded population is t² p (1 − p) / e²; half a fault less, to be rounded up.
    options.plan.precision.proportion = 0.5;
    options.plan.precision.quantile = 2 * options.plan.precision.error_margin * std::sqrt(faults - 0.5);
}

}  // namespace

ErrorValue error_value(const TransientTable& table)
{
    return error_kind(table).value(table);
}

std::string error_value_text(const TransientTable& table)
{
    return error_kind(table).text(table);
}

TransientPlanOptions transient_options(const Job& job, const Network& network, const TransientRules& rules,
                                       std::uint64_t images)
{
    TransientPlanOptions options;
    FS_CHECK(JobError, job.campaign.exclude.empty(),
             "campaign.exclude names faults in weights, and campaign.target is \"{}\"", job.campaign.target);
    options.plan = plan_options(job, injectable_layers(network), images);
    options.rules = rules;
    options.layers = layer_weight_from(job.transient.layers_by);
    options.images_per_fault = static_cast<std::uint64_t>(job.transient.images_per_fault);
    if (job.transient.injections > 0)
    {
        const bool one_stratum = options.plan.scheme == Scheme::network_wise;
        ask_for_injections(options, job.transient.injections,
                           one_stratum ? 1 : injectable_layers(network).size());
    }
    return options;
}

TransientFaults::TransientFaults(const TransientKind& kind, const Network& network,
                                 const TransientPlanOptions& options)
    : kind_(kind), layers_(injectable_layers(network)), plan_(network, options)
{}

bool TransientFaults::may_overflow(const Network& /*network*/, FaultIndex fault) const
{
    return std::visit([](const auto& drawn) { return flipstorm::may_overflow(drawn); },
                      plan_.strike(fault).fault);
}

std::string TransientFaults::encode(const ChunkRecord& record) const
{
    return encode_transient(as_outcomes(record));
}

ChunkRecord TransientFaults::decode(const std::string& bytes, std::uint64_t count) const
{
    return as_record(decode_transient(bytes, count, plan_.images_per_fault()));
}

std::unique_ptr<CampaignFaults> TransientKind::plan(const Job& job, const Network& network,
                                                    std::uint64_t images) const
{
    return std::make_unique<TransientFaults>(*this, network,
                                             transient_options(job, network, rules(job.transient), images));
}

std::string TransientKind::identity(const Job& job) const
{
    std::string text = canonical_tables(job, {"transient"});
    if (!job.transient.table.empty()) text += read_file(job.transient.table);
    return text;
}

std::vector<std::uint64_t> TransientKind::populations(const CampaignHeader& header, std::size_t stratum,
                                                      const std::vector<std::uint64_t>& faults) const
{
    // They sum to the stratum's.
    const std::uint64_t population = header.strata.population.at(stratum);
    const double all = static_cast<double>(std::accumulate(faults.begin(), faults.end(), std::uint64_t{0}));
    std::vector<std::uint64_t> parts(faults.size(), 0);
    std::uint64_t left = population;
    std::size_t last = 0;
    for (std::size_t i = 0; i < faults.size(); ++i)
    {
        if (faults[i] == 0) continue;
        last = i;
        parts[i] = std::min(left, static_cast<std::uint64_t>(static_cast<double>(population) *
                                                             (static_cast<double>(faults[i]) / all)));
        left -= parts[i];
    }
    if (!parts.empty()) parts[last] += left;
    return parts;
}

FinishedFaults TransientKind::read_finished(const std::filesystem::path& file) const
{
    TransientCampaignRecord campaign = read_transient_campaign(file);
    const std::vector<double> probability = layer_probability(campaign);
    const std::vector<Vulnerability> layers = layer_vulnerability(campaign);
    std::vector<Struck> struck;
    for (std::size_t l = 0; l < layers.size(); ++l)
        struck.push_back({probability[l], layers[l]});
    struck.push_back({1, network_vulnerability(campaign)});
    return {std::move(campaign.header.campaign), std::move(campaign.faults.stratum),
            std::move(campaign.faults.layer), std::move(campaign.outcomes.drop), std::move(struck)};
}

std::uint64_t TransientKind::overflowing_faults(const std::filesystem::path& file) const
{
    return flipstorm::overflowing_faults(read_transient_campaign(file));
}

StageEnd TransientKind::report(const Context& context, const StopRequest& /*stop*/) const
{
    return report_transient_on_root(context);
}

void TransientKind::compare(ComparisonRecord& comparison, std::size_t variant,
                            const std::filesystem::path& file, double /*tolerance*/) const
{
    const TransientCampaignRecord campaign = read_transient_campaign(file);
    VariantResult& result = comparison.variants.at(variant);
    add_campaign_header(result, campaign.header.campaign, campaign.outcomes.size());
    add_transient_campaign(result, campaign, static_cast<std::int32_t>(variant), comparison.fault_models);
}

}  // namespace flipstorm
