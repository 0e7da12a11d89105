#include "jobs/bench/bench.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>

#include "engine/base/permutation.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{
namespace
{

std::uint64_t distance(std::uint32_t a, std::uint32_t b)
{
    return a > b ? a - b : b - a;
}

}  // namespace

const char* to_string(EvaluationMode mode)
{
    constexpr std::array kNames = {"reference", "exact", "screened"};
    return kNames.at(static_cast<std::size_t>(mode));
}

std::vector<FaultIndex> bench_faults(const Plan& plan, LayerId layer, std::uint64_t count, std::uint64_t seed)
{
    std::vector<const Chunk*> chunks;
    std::vector<std::uint64_t> first{0};  // place of each chunk's first fault among those of the layer
    for (const Chunk& chunk : plan.chunks())
    {
        if (chunk.layer != layer) continue;
        chunks.push_back(&chunk);
        first.push_back(first.back() + chunk.count);
    }
    std::vector<FaultIndex> faults;
    if (first.back() == 0) return faults;
    const KeyedPermutation order(seed, RandomPurpose::bench, static_cast<std::uint64_t>(layer.value()),
                                 first.back());
    for (std::uint64_t k = 0; k < std::min(count, first.back()); ++k)
    {
        const std::uint64_t place = order(k);
        const auto chunk = static_cast<std::size_t>(
            std::distance(first.begin(), std::upper_bound(first.begin(), first.end(), place)) - 1);
        faults.emplace_back(chunks[chunk]->first.value() + place - first[chunk]);
    }
    return faults;
}

std::vector<std::size_t> spread_order(std::size_t count)
{
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto place = [](std::size_t k) {
        constexpr double kGolden = 0.6180339887498949;
        return std::fmod(static_cast<double>(k) * kGolden, 1.0);
    };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
    return order;
}

std::uint64_t chunk_faults(const Plan& plan, LayerId layer)
{
    std::uint64_t most = 0;
    for (const Chunk& chunk : plan.chunks())
    {
        if (chunk.layer == layer) most = std::max(most, chunk.count);
    }
    return most;
}

std::uint64_t next_count(std::uint64_t count, double seconds, double budget, std::uint64_t most)
{
    if (count >= most || seconds >= budget / 4) return count;
    const double factor = std::clamp(0.8 * budget / std::max(seconds, 1e-9), 2.0, 64.0);
    return std::min(most, static_cast<std::uint64_t>(factor * static_cast<double>(count)));
}

std::uint64_t ModeBench::faults() const
{
    std::uint64_t sum = 0;
    for (const LayerBench& layer : layers)
        sum += layer.faults();
    return sum;
}

double ModeBench::seconds() const
{
    double sum = 0;
    for (const LayerBench& layer : layers)
        sum += layer.seconds;
    return sum;
}

double ModeBench::shared_seconds() const
{
    double sum = 0;
    for (const LayerBench& layer : layers)
        sum += layer.shared_seconds;
    return sum;
}

WorkCount ModeBench::work() const
{
    WorkCount sum;
    for (const LayerBench& layer : layers)
        sum += layer.work;
    return sum;
}

ScreenTotals LayerBench::screen() const
{
    ScreenTotals totals;
    for (const Outcome& outcome : outcomes)
    {
        totals.screened += outcome.screen.screened;
        totals.audited += outcome.screen.audited;
        totals.disagreements += outcome.screen.disagreements;
    }
    return totals;
}

ScreenTotals ModeBench::screen() const
{
    ScreenTotals sum;
    for (const LayerBench& layer : layers)
    {
        const ScreenTotals part = layer.screen();
        sum.screened += part.screened;
        sum.audited += part.audited;
        sum.disagreements += part.disagreements;
    }
    return sum;
}

double seconds_per_fault(const LayerBench& layer, std::uint64_t faults)
{
    if (layer.faults() == 0) return std::numeric_limits<double>::quiet_NaN();
    const auto chunks_of = [&](std::uint64_t count) {
        return static_cast<double>((count + layer.chunk - 1) / layer.chunk);
    };
    const auto shared_by = [&](std::uint64_t count) {
        return layer.shared_seconds + std::max(0.0, chunks_of(count) - 1) * layer.repeated_seconds;
    };
    const double own = std::max(0.0, layer.seconds - shared_by(layer.faults()));
    return shared_by(faults) / static_cast<double>(faults) + own / static_cast<double>(layer.faults());
}

double faults_per_second(const ModeBench& mode, const std::vector<std::uint64_t>& faults)
{
    double sum = 0;
    double layers = 0;
    for (std::size_t l = 0; l < mode.layers.size(); ++l)
    {
        if (mode.layers[l].faults() == 0) continue;
        sum += seconds_per_fault(mode.layers[l], faults.at(l));
        ++layers;
    }
    return layers / sum;
}

double seconds_for(const ModeBench& mode, const std::vector<std::uint64_t>& faults)
{
    double sum = 0;
    for (std::size_t l = 0; l < mode.layers.size(); ++l)
    {
        if (faults.at(l) == 0) continue;
        const double each = mode.layers[l].faults() > 0 ? seconds_per_fault(mode.layers[l], faults[l])
                                                        : 1 / faults_per_second(mode, faults);
        sum += static_cast<double>(faults[l]) * each;
    }
    return sum;
}

Agreement compare(const ModeBench& mode, const ModeBench& against, const std::vector<double>& tolerances)
{
    Agreement result;
    result.mode = mode.mode;
    result.against = against.mode;
    for (std::size_t l = 0; l < std::min(mode.layers.size(), against.layers.size()); ++l)
    {
        const std::vector<Outcome>& mine = mode.layers[l].outcomes;
        const std::vector<Outcome>& theirs = against.layers[l].outcomes;
        for (std::size_t k = 0; k < std::min(mine.size(), theirs.size()); ++k)
        {
            const Outcome& a = mine[k];
            const Outcome& b = theirs[k];
            ++result.faults;
            for (const double tolerance : tolerances)
            {
                ++result.labels;
                if (exceeds(a.drop, tolerance) != exceeds(b.drop, tolerance)) ++result.labels_differ;
            }
            if (a.tally == b.tally && a.drop == b.drop)
                ++result.equal;
            else if (a.stopped != b.stopped &&
                     !exceeds(a.stopped ? a.drop : b.drop, a.stopped ? b.drop : a.drop))
                ++result.bounded;
            else
            {
                result.differing.push_back({l, k});
                result.moved_images += distance(a.tally.mismatches, b.tally.mismatches);
            }
        }
    }
    return result;
}

std::uint64_t count_near_ties(const std::vector<float>& logits, std::size_t classes)
{
    constexpr double kTie = 1e-4;
    constexpr double kNearOverflow = 1e35;
    std::uint64_t ties = 0;
    for (std::size_t row = 0; row + classes <= logits.size(); row += classes)
    {
        std::vector<double> z(logits.begin() + static_cast<std::ptrdiff_t>(row),
                              logits.begin() + static_cast<std::ptrdiff_t>(row + classes));
        if (!std::all_of(z.begin(), z.end(), [](double v) { return std::abs(v) < kNearOverflow; }))
        {
            ++ties;
            continue;
        }
        std::sort(z.begin(), z.end());
        const double largest = std::max(std::abs(z.front()), std::abs(z.back()));
        if (classes > 1 && z[classes - 1] - z[classes - 2] <= kTie * largest) ++ties;
    }
    return ties;
}

}  // namespace flipstorm
