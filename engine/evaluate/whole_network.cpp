#include "engine/evaluate/whole_network.hpp"

#include <algorithm>
#include <functional>

#include "engine/base/error.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/evaluate/judge.hpp"

namespace flipstorm
{

Tally evaluate_whole(const Network& network, const ImageSet& images, const EvaluationOptions& options,
                     const Golden& golden, const std::function<void()>& between)
{
    // In parts only for the sake of who waits.
    const std::uint64_t parts = between ? 4 : 1;
    std::vector<float> logits;
    for (std::uint64_t part = 0; part < parts; ++part)
    {
        if (between) between();
        const std::vector<float> some = golden_share(network, images, options, part, parts);
        logits.resize(some.size());
        std::transform(some.begin(), some.end(), logits.begin(), logits.begin(), std::plus<>());
    }
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
