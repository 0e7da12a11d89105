#include "engine/evaluate/audit.hpp"

#include <cmath>

#include "engine/base/philox.hpp"

namespace flipstorm
{

std::vector<char> choose_audits(std::uint64_t seed, double share, const WeightChange* changes,
                                std::size_t count, std::int64_t first, std::int64_t images)
{
    std::vector<char> audited(static_cast<std::size_t>(images) * count, share >= 1 ? 1 : 0);
    if (share <= 0 || share >= 1) return audited;
    // Gaps between audited images are geometric: as if each image were drawn on its own.
    const double log_of_miss = std::log1p(-share);
    for (std::size_t f = 0; f < count; ++f)
    {
        RandomStream random(seed, RandomPurpose::audit,
                            (changes[f].fault << 20U) ^ static_cast<std::uint64_t>(first));
        double position = std::floor(std::log1p(-random.uniform()) / log_of_miss);
        while (position < static_cast<double>(images))
        {
            audited[static_cast<std::size_t>(position) * count + f] = 1;
            position += 1 + std::floor(std::log1p(-random.uniform()) / log_of_miss);
        }
    }
    return audited;
}

}  // namespace flipstorm
