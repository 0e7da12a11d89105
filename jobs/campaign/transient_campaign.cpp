#include "jobs/campaign/transient_campaign.hpp"

#include <cmath>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/evaluate/transient_evaluator.hpp"
#include "jobs/campaign/transient_codec.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/resolve/plan_of_job.hpp"

namespace flipstorm
{
namespace
{

ErrorValue error_value(const TransientTable& table)
{
    if (table.value == "uniform") return UniformError{table.magnitude};
    if (table.value == "table") return read_error_table(table.table);
    return power_law(table.power_law);
}

TransientRules rules_of(const Job& job)
{
    const TransientTable& table = job.transient;
    if (job.campaign.target == "instructions")
        return InstructionRules{instruction_model_from(table.instruction), error_value(table)};
    FeatureMapRules rules;
    for (const std::string& name : table.geometry)
        rules.geometries.push_back(geometry_from(name));
    rules.channel_probability = table.channel_probability;
    if (rules.channel_probability.empty())
    {
        for (const Geometry geometry : rules.geometries)
            rules.channel_probability.push_back(usual_channel_probability(geometry));
    }
    rules.value = error_value(table);
    rules.combine = combine_from(table.combine);
    return rules;
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

class TransientWork : public ChunkWork
{
  public:
    TransientWork(const Context& context, const Campaign& campaign)
        : plan_(*campaign.transient),
          evaluator_(campaign.network, campaign.images,
                     evaluation_options(context, evaluation_mode(context.job.campaign.evaluation)))
    {}

    std::optional<std::vector<std::string>> compute(const std::vector<Chunk>& chunks,
                                                    const Screen& /*screen*/,
                                                    const std::function<bool()>& should_stop) override
    {
        std::vector<std::string> bytes;
        for (const Chunk& chunk : chunks)
        {
            std::vector<TransientStrike> strikes;
            for (std::uint64_t i = 0; i < chunk.count; ++i)
                strikes.push_back(plan_.strike(FaultIndex(chunk.first.value() + i)));
            const auto outcomes = evaluator_.evaluate(chunk.layer, strikes, should_stop);
            if (!outcomes) return std::nullopt;
            bytes.push_back(encode_transient(*outcomes));
        }
        return bytes;
    }

    ChunkRecord decode(const std::string& bytes, std::uint64_t count) const override
    {
        return as_record(decode_transient(bytes, count, plan_.images_per_fault()));
    }

    const Golden& golden() const override { return evaluator_.golden(); }

  private:
    const TransientPlan& plan_;
    TransientEvaluator evaluator_;
};

}  // namespace

TransientPlan transient_plan(const Job& job, const Network& network, std::uint64_t images)
{
    TransientPlanOptions options;
    options.plan = plan_options(job, network.format, images);
    options.rules = rules_of(job);
    options.layers = layer_weight_from(job.transient.layers_by);
    options.images_per_fault = static_cast<std::uint64_t>(job.transient.images_per_fault);
    if (job.transient.injections > 0)
    {
        const bool one_stratum = options.plan.scheme == Scheme::network_wise;
        ask_for_injections(options, job.transient.injections,
                           one_stratum ? 1 : injectable_layers(network).size());
    }
    return {network, options};
}

std::string transient_identity(const Job& job)
{
    std::string text = canonical_tables(job, {"transient"});
    if (!job.transient.table.empty()) text += read_file(job.transient.table);
    return text;
}

std::unique_ptr<ChunkWork> transient_work(const Context& context, const Campaign& campaign)
{
    return std::make_unique<TransientWork>(context, campaign);
}

}  // namespace flipstorm
