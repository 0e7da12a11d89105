#include "jobs/campaign/kinds/protected_work.hpp"

#include <fmt/format.h>

#include "analysis/result_table.hpp"
#include "jobs/campaign/kinds/word_work.hpp"
#include "jobs/cost/plan_tables.hpp"

namespace flipstorm
{
namespace
{

class ProtectedWork final : public WordWork
{
  public:
    ProtectedWork(const Campaign& campaign, const ProtectedFaults& faults, const EvaluationOptions& options)
        : WordWork(campaign, options), faults_(faults)
    {}

  private:
    LayerId tensor_of(LayerId part) const override { return faults_.memory().layer(part); }
    std::vector<ChangedWord> changed_words(FaultIndex fault) const override
    {
        return faults_.reading(fault).changed;
    }

    const ProtectedFaults& faults_;
};

}  // namespace

std::unique_ptr<ChunkWork> protected_work(const Context& context, const Campaign& campaign,
                                          const ProtectedFaults& faults)
{
    const EvaluationOptions options = shared_evaluation_options(context, campaign);
    std::unique_ptr<ChunkWork> work;
    on_all(context.world, [&] { work = std::make_unique<ProtectedWork>(campaign, faults, options); });
    return work;
}

std::string describe_protected_plan(const Context& context, const ProtectedFaults& faults)
{
    const Plan& plan = faults.plan();
    std::string text = render_text(
        strata_table(context.job, faults.layers(), plan, faults.images_per_fault(), context.all_strata));
    return text + fmt::format(
                      "\n{} upsets of {} bits of memory; each is decoded first, and only what reads "
                      "otherwise then is evaluated.\n",
                      format_count(plan.size()), format_count(faults.memory().bits()));
}

}  // namespace flipstorm
