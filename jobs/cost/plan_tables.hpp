#pragma once
// What `plan` prints of a campaign: its strata, and what the other schemes would cost.

#include <cstdint>
#include <vector>

#include "analysis/result_table.hpp"
#include "engine/faults/plan.hpp"
#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/**
 * The strata with populations and sample sizes. More than 64 of them are summed up by layer, unless `all` is
 * set.
 */
ResultTable strata_table(const Job& job, const std::vector<InjectableLayer>& layers, const Plan& plan,
                         std::uint64_t images, bool all);

/// Sample sizes of a campaign by one scheme.
struct SchemeTotal
{
    Scheme scheme = Scheme::layer_wise;
    std::uint64_t strata = 0;
    std::uint64_t population = 0;
    std::uint64_t least = 0;  ///< of iterative: if no fault is critical; else the same as `most`
    std::uint64_t most = 0;
};

/// Totals of all schemes for the same layers, faults and precision, whatever limit there is. An exhaustive
/// campaign is not one of them: it costs the population. \param options  with priors \throws JobError
std::vector<SchemeTotal> scheme_totals(const std::vector<InjectableLayer>& layers, PlanOptions options);

/// The same as a table; the scheme of the options is marked. \param trained  the priors are of a trained
/// model
ResultTable totals_table(const std::vector<InjectableLayer>& layers, const PlanOptions& options,
                         bool trained);

}  // namespace flipstorm
