#pragma once
// What computes faults that leave words of a network changed, for the injection loop.

#include <functional>
#include <optional>
#include <vector>

#include "engine/network/changed_words.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/chunk_work.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/**
 * Faults that leave any number of words changed. A word of its own goes through the Evaluator with the others
 * of its tensor; where several are changed, the whole network is evaluated with them. A fault that changes
 * nothing is masked on every image; so is a word that is stored already (a bit stuck at what it is), which
 * only mode `reference` evaluates.
 */
class WordWork : public ChunkWork
{
  public:
    /// \throws DataError, JobError: see Evaluator
    WordWork(const Campaign& campaign, const EvaluationOptions& options);

    std::optional<std::vector<ChunkRecord>> compute(const std::vector<Chunk>& chunks, const Screen& screen,
                                                    const std::function<bool()>& should_stop) final;
    const Golden& golden() const final { return evaluator_.golden(); }

  protected:
    [[nodiscard]] const Campaign& campaign() const { return campaign_; }
    [[nodiscard]] const InjectableLayer& tensor(LayerId id) const;

  private:
    /// The tensor whose words single changes of a layer of the plan are of.
    [[nodiscard]] virtual LayerId tensor_of(LayerId layer) const = 0;
    /// What a fault of the plan leaves changed.
    [[nodiscard]] virtual std::vector<ChangedWord> changed_words(FaultIndex fault) const = 0;

    [[nodiscard]] Outcome masked() const;
    [[nodiscard]] Outcome outcome_of(const std::vector<ChangedWord>& changed) const;

    const Campaign& campaign_;
    EvaluationOptions options_;
    std::vector<InjectableLayer> tensors_;
    Evaluator evaluator_;
};

/// Options of a campaign's evaluation, with the fault-free logits where several ranks share their computing.
/// \throws DataError \collective
[[nodiscard]] EvaluationOptions shared_evaluation_options(const Context& context, const Campaign& campaign);

}  // namespace flipstorm
