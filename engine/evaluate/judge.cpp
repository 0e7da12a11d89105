#include <cmath>

#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{

Tally judge(const float* logits, std::int64_t classes, std::int32_t label, std::int32_t golden_top1)
{
    std::int32_t top1 = 0;
    bool finite = std::isfinite(logits[0]);
    for (std::int32_t c = 1; c < classes; ++c)
    {
        finite = finite && std::isfinite(logits[c]);
        if (logits[c] > logits[top1]) top1 = c;
    }
    Tally tally;
    tally.evaluated = 1;
    tally.nonfinite = finite ? 0 : 1;
    tally.correct = finite && top1 == label ? 1 : 0;
    tally.mismatches = finite && top1 == golden_top1 ? 0 : 1;
    return tally;
}

Tally golden_tally(const Tile& tile)
{
    Tally golden;
    golden.evaluated = static_cast<std::uint32_t>(tile.size());
    for (std::size_t i = 0; i < tile.label.size(); ++i)
        golden.correct += tile.top1[i] == tile.label[i] ? 1U : 0U;
    return golden;
}

}  // namespace flipstorm
