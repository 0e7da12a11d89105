#include "analysis/calibration.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/base/statistics.hpp"

namespace flipstorm
{
namespace
{

/// Levels that share one probability.
struct Pool
{
    std::size_t first = 0;
    std::size_t last = 0;
    double critical = 0;  ///< Σ weights
    double all = 0;
    double squares = 0;  ///< Σ weights²

    [[nodiscard]] double share() const { return critical / all; }
    [[nodiscard]] double size() const { return all * all / squares; }
    void add(const Pool& next)
    {
        last = next.last;
        critical += next.critical;
        all += next.all;
        squares += next.squares;
    }
};

/// Pools of rising shares, of the levels that have rows.
std::vector<Pool> rising_pools(const LevelCounts& rows)
{
    std::vector<Pool> pools;
    for (std::size_t level = 0; level < kCriticalityLevels; ++level)
    {
        const double critical = rows.critical_weight[level];
        const double all = critical + rows.acceptable_weight[level];
        if (!(all > 0)) continue;
        pools.push_back(
            {level, level, critical, all, rows.critical_squares[level] + rows.acceptable_squares[level]});
        while (pools.size() > 1 && pools[pools.size() - 2].share() >= pools.back().share())
        {
            const Pool last = pools.back();
            pools.pop_back();
            pools.back().add(last);
        }
    }
    return pools;
}

}  // namespace

std::uint8_t predicted_level_of(double vote)
{
    return predicted_level(static_cast<std::uint8_t>(std::lround(255.0 * vote)));
}

std::uint8_t level_of_threshold(double threshold)
{
    const auto level = static_cast<std::int32_t>(std::ceil(threshold * 255.0 - 1e-9));
    return static_cast<std::uint8_t>(std::clamp(level, 1, 254));
}

CalibrationRecord calibrate(const LevelCounts& rows)
{
    FS_REQUIRE(rows.critical_weight.size() == kCriticalityLevels, "{} levels to calibrate",
               rows.critical_weight.size());
    CalibrationRecord table;
    table.probability.assign(kCriticalityLevels, 0);
    table.low.assign(kCriticalityLevels, 0);
    table.high.assign(kCriticalityLevels, 1);
    const std::vector<Pool> pools = rising_pools(rows);
    std::vector<ShareInterval> limits;
    for (const Pool& pool : pools)
    {
        limits.push_back(clopper_pearson_interval(pool.share(), pool.size()));
        if (limits.size() > 1) limits.back().low = std::max(limits.back().low, limits[limits.size() - 2].low);
    }
    for (std::size_t i = limits.size(); i-- > 1;)
        limits[i - 1].high = std::min(limits[i - 1].high, limits[i].high);
    for (std::size_t level = 1; level + 1 < kCriticalityLevels && !pools.empty(); ++level)
    {
        const auto after =
            static_cast<std::size_t>(std::find_if(pools.begin(), pools.end(),
                                                  [level](const Pool& pool) { return pool.last >= level; }) -
                                     pools.begin());
        if (after == pools.size() || pools[after].first <= level || after == 0)
        {
            const std::size_t pool = std::min(after, pools.size() - 1);
            const bool beyond = after == pools.size() || pools[after].first > level;
            table.probability[level] = pools[pool].share();
            // Beyond the outermost levels that rows have, only one limit is known.
            table.low[level] = beyond && after == 0 ? 0 : limits[pool].low;
            table.high[level] = beyond && after == pools.size() ? 1 : limits[pool].high;
            continue;
        }
        const Pool& below = pools[after - 1];
        const Pool& above = pools[after];
        const double part =
            static_cast<double>(level - below.last) / static_cast<double>(above.first - below.last);
        table.probability[level] = below.share() + part * (above.share() - below.share());
        table.low[level] = limits[after - 1].low;
        table.high[level] = limits[after].high;
    }
    table.high[kMeasuredAcceptable] = 0;
    table.probability[kMeasuredCritical] = 1;
    table.low[kMeasuredCritical] = 1;
    return table;
}

double choose_threshold(const LevelCounts& rows, double max_missed, double confidence)
{
    double all = 0;
    double squares = 0;
    for (std::size_t level = 0; level < kCriticalityLevels; ++level)
    {
        all += rows.critical_weight[level];
        squares += rows.critical_squares[level];
    }
    if (!(all > 0)) return 1 / 255.0;
    const double size = all * all / squares;
    const double quantile = boost::math::quantile(boost::math::normal(), confidence);
    double missed = 0;
    std::size_t threshold = 1;
    for (std::size_t level = 2; level + 1 < kCriticalityLevels; ++level)
    {
        // Bits below this level are missed.
        missed += rows.critical_weight[level - 1] + (level == 2 ? rows.critical_weight[0] : 0);
        if (clopper_pearson_interval(std::min(1.0, missed / all), size, quantile).high > max_missed) break;
        threshold = level;
    }
    return static_cast<double>(threshold) / 255.0;
}

}  // namespace flipstorm
