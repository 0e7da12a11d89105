#pragma once
// Runs a stage of a job for each of its variants, one after another.

#include <functional>
#include <string>
#include <vector>

#include "jobs/job_file/job_variants.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// A variant of the job and its surroundings.
struct VariantContext
{
    std::string name;
    Context context;  ///< its job's out folder is OUT/NAME
};

/**
 * Run a stage for every variant in turn, each in its own out folder.
 *
 * \return stopped at the first variant that is stopped, or if a stop is asked for between two. \collective
 */
StageEnd run_variants(const std::vector<VariantContext>& variants,
                      const std::function<StageEnd(const Context&)>& stage);

/**
 * Compare the variants: OUT/comparison.h5, OUT/figures, OUT/report.html and the table on standard output.
 *
 * Reads what the stages wrote into the variants' folders; what they did not write is left out. Inference is
 * timed anew if anything changed, and not timed where nothing computes networks. \param context  of what the
 * variants have in common. \collective
 */
StageEnd run_comparison(const Context& context, const JobFile& file,
                        const std::vector<VariantContext>& variants);

}  // namespace flipstorm
