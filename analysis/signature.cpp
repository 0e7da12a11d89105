#include "analysis/signature.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>

#include "engine/base/error.hpp"
#include "engine/memory/codes/code.hpp"

namespace flipstorm
{
namespace
{

constexpr int kOwnWord = 64;

/// Of a flag for each group of parameters: number of groups, and the flags that parameters have then.
struct Grouped
{
    std::uint64_t groups = 0;
    std::vector<std::uint8_t> flagged;
};

Grouped grouped(const FlaggedLayer& layer, std::uint64_t groups,
                const std::function<std::uint64_t(std::uint64_t)>& group_of)
{
    std::vector<std::uint8_t> any(groups, 0);
    for (std::uint64_t w = 0; w < layer.flagged.size(); ++w)
        any[group_of(w)] |= layer.flagged[w];
    Grouped result{groups, std::vector<std::uint8_t>(layer.flagged.size())};
    for (std::uint64_t w = 0; w < layer.flagged.size(); ++w)
        result.flagged[w] = any[group_of(w)];
    return result;
}

std::uint64_t count_of(const std::vector<std::uint8_t>& flags)
{
    return static_cast<std::uint64_t>(std::count(flags.begin(), flags.end(), std::uint8_t{1}));
}

/// Sums of a signature over layers.
class Sum
{
  public:
    explicit Sum(std::string name) { size_.encoding = std::move(name); }

    void add(const FlaggedLayer& layer, std::uint64_t bits, const std::vector<std::uint8_t>& flagged)
    {
        size_.bits += bits;
        parameters_[layer.word_bits] += count_of(flagged);
        flagged_ += count_of(flagged);
        weights_ += flagged.size();
        memory_ += flagged.size() * static_cast<std::uint64_t>(layer.word_bits);
    }

    [[nodiscard]] SignatureSize size() const
    {
        SignatureSize size = size_;
        size.check_bits =
            protected_size(CodeKind::hsiao_sec_ded, (size.bits + kOwnWord - 1) / kOwnWord, kOwnWord).check;
        for (const auto& [word_bits, parameters] : parameters_)
            size.parity_bits += protected_size(CodeKind::hamming_sec, parameters, word_bits).check;
        size.flagged_share = weights_ > 0 ? static_cast<double>(flagged_) / static_cast<double>(weights_) : 0;
        size.total_overhead = 100.0 * static_cast<double>(size.bits + size.check_bits + size.parity_bits) /
                              static_cast<double>(memory_);
        return size;
    }

  private:
    SignatureSize size_;
    std::map<std::int32_t, std::uint64_t> parameters_;  ///< flagged, by length of a word
    std::uint64_t flagged_ = 0;
    std::uint64_t weights_ = 0;
    std::uint64_t memory_ = 0;
};

std::vector<std::uint8_t> inverted(std::vector<std::uint8_t> flags)
{
    for (std::uint8_t& flag : flags)
        flag = flag == 0 ? 1 : 0;
    return flags;
}

}  // namespace

std::uint64_t elias_fano_bits(std::uint64_t count, std::uint64_t universe)
{
    if (count == 0) return 0;
    FS_REQUIRE(count <= universe, "{} numbers below {}", count, universe);
    unsigned lower = 0;
    while ((universe / count) >> (lower + 1) != 0)
        ++lower;
    return count * lower + count + (universe >> lower) + 1;
}

std::uint64_t run_length_bits(const std::vector<std::uint8_t>& flagged)
{
    constexpr unsigned kParameter = 5;
    std::uint64_t best = std::numeric_limits<std::uint64_t>::max();
    for (unsigned k = 0; k < 32; ++k)
    {
        std::uint64_t bits = kParameter;
        std::uint64_t gap = 0;
        for (const std::uint8_t flag : flagged)
        {
            if (flag == 0)
            {
                ++gap;
                continue;
            }
            bits += (gap >> k) + 1 + k;
            gap = 0;
        }
        best = std::min(best, bits);
    }
    return best;
}

std::vector<SignatureSize> signature_sizes(const std::vector<FlaggedLayer>& layers)
{
    Sum raw("raw");
    Sum elias_fano("elias_fano");
    Sum run_length("run_length");
    Sum cells("cells");
    Sum channels("channels");
    bool signs_known = true;
    for (const FlaggedLayer& layer : layers)
    {
        const std::uint64_t weights = layer.flagged.size();
        FS_REQUIRE(layer.channels > 0 && layer.kernel_elements > 0 && weights % layer.channels == 0 &&
                       weights % layer.kernel_elements == 0 &&
                       (layer.negative.empty() || layer.negative.size() == weights),
                   "{} weights of {} channels and kernels of {}", weights, layer.channels,
                   layer.kernel_elements);
        raw.add(layer, weights, layer.flagged);
        // One bit says whether it is the flagged ones that are listed.
        const std::uint64_t flagged = count_of(layer.flagged);
        elias_fano.add(
            layer,
            1 + std::min(elias_fano_bits(flagged, weights), elias_fano_bits(weights - flagged, weights)),
            layer.flagged);
        run_length.add(layer,
                       1 + std::min(run_length_bits(layer.flagged), run_length_bits(inverted(layer.flagged))),
                       layer.flagged);
        const std::uint64_t per_channel = weights / layer.channels;
        const Grouped by_channel =
            grouped(layer, layer.channels, [per_channel](std::uint64_t w) { return w / per_channel; });
        channels.add(layer, by_channel.groups, by_channel.flagged);
        signs_known = signs_known && !layer.negative.empty();
        if (!signs_known) continue;
        const std::uint64_t kernel = layer.kernel_elements;
        const Grouped by_cell = grouped(layer, 2 * (weights / kernel), [&layer, kernel](std::uint64_t w) {
            return 2 * (w / kernel) + layer.negative[w];
        });
        cells.add(layer, by_cell.groups, by_cell.flagged);
    }
    std::vector<SignatureSize> sizes{raw.size(), elias_fano.size(), run_length.size()};
    if (signs_known) sizes.push_back(cells.size());
    sizes.push_back(channels.size());
    return sizes;
}

}  // namespace flipstorm
