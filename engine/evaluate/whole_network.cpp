#include "engine/evaluate/whole_network.hpp"

#include "engine/base/error.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/evaluate/judge.hpp"

namespace flipstorm
{

Tally evaluate_whole(const Network& network, const ImageSet& images, const EvaluationOptions& options,
                     const Golden& golden)
{
    const std::vector<float> logits = golden_share(network, images, options, 0, 1);
    const std::size_t count = golden.label.size();
    FS_REQUIRE(count > 0 && logits.size() % count == 0, "{} logits of {} images", logits.size(), count);
    const std::size_t classes = logits.size() / count;
    Tally tally;
    for (std::size_t i = 0; i < count; ++i)
        tally += judge(logits.data() + i * classes, static_cast<std::int64_t>(classes), golden.label[i],
                       golden.top1[i]);
    return tally;
}

}  // namespace flipstorm
