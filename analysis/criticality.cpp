#include "analysis/criticality.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/campaign_check.hpp"
#include "engine/base/error.hpp"
#include "engine/base/parallel.hpp"

namespace flipstorm
{
namespace
{

/// Axes of the grid, slowest first.
enum Axis : std::size_t
{
    kOutAxis = 0,
    kInAxis = 1,
    kSignAxis = 2,
    kBitAxis = 3,
    kAxes = 4,
};
using Index = std::array<std::int64_t, kAxes>;

/// Cells low ≤ index < high.
struct Box
{
    Index low{};
    Index high{};

    [[nodiscard]] bool empty() const
    {
        for (std::size_t a = 0; a < kAxes; ++a)
        {
            if (low[a] >= high[a]) return true;
        }
        return false;
    }
};

std::size_t axis_of(std::int32_t feature)
{
    switch (feature)
    {
        case kOutChannelFeature:
            return kOutAxis;
        case kInChannelFeature:
            return kInAxis;
        case kSignFeature:
            return kSignAxis;
        case kBitFeature:
            return kBitAxis;
    }
    throw Error("feature {} is no axis of a layer", feature);
}

/// First whole number above `threshold`, kept within [low, high].
std::int64_t first_right(float threshold, std::int64_t low, std::int64_t high)
{
    const double first = std::floor(static_cast<double>(threshold)) + 1.0;
    return static_cast<std::int64_t>(std::clamp(first, static_cast<double>(low), static_cast<double>(high)));
}

/// Votes of the trees for each cell of a box of a layer.
class VoteGrid
{
  public:
    explicit VoteGrid(const Box& box) : box_(box)
    {
        std::int64_t cells = 1;
        for (std::size_t a = kAxes; a-- > 0;)
        {
            stride_[a] = cells;
            cells *= box.high[a] - box.low[a];
        }
        votes_.assign(static_cast<std::size_t>(cells), 0);
    }

    void add_tree(const TreeNode* root, float layer) { add_subtree(root, root, layer, box_); }

    /// Turn the differences into sums; call once, after all trees.
    void finish()
    {
        for (std::size_t a = 0; a < kAxes; ++a)
        {
            const auto stride = static_cast<std::size_t>(stride_[a]);
            const std::size_t block = stride * static_cast<std::size_t>(box_.high[a] - box_.low[a]);
            for (std::size_t start = 0; start < votes_.size(); start += block)
            {
                for (std::size_t i = start + stride; i < start + block; ++i)
                    votes_[i] += votes_[i - stride];
            }
        }
    }

    [[nodiscard]] const std::vector<std::int64_t>& votes() const { return votes_; }

  private:
    void add_subtree(const TreeNode* root, const TreeNode* node, float layer, Box box)
    {
        while (!node->is_leaf())
        {
            if (node->feature == kLayerFeature)
            {
                node = root + (layer <= node->threshold ? node->left : node->right);
                continue;
            }
            const std::size_t axis = axis_of(node->feature);
            Box right = box;
            right.low[axis] = first_right(node->threshold, box.low[axis], box.high[axis]);
            box.high[axis] = right.low[axis];
            if (!right.empty()) add_subtree(root, root + node->right, layer, right);
            if (box.empty()) return;
            node = root + node->left;
        }
        add_box(box, vote(*node));
    }

    void add_box(const Box& box, std::int64_t votes)
    {
        if (votes == 0) return;
        for (unsigned corner = 0; corner < (1U << kAxes); ++corner)
        {
            std::int64_t index = 0;
            bool inside = true;
            bool negative = false;
            for (std::size_t a = 0; a < kAxes && inside; ++a)
            {
                const bool far = ((corner >> a) & 1U) != 0;
                const std::int64_t at = far ? box.high[a] : box.low[a];
                inside = at < box_.high[a];
                negative = negative != far;
                index += (at - box_.low[a]) * stride_[a];
            }
            if (inside) votes_[static_cast<std::size_t>(index)] += negative ? -votes : votes;
        }
    }

    Box box_;
    Index stride_{};
    std::vector<std::int64_t> votes_;
};

}  // namespace

LayerCriticality predict_layer(const Forest& forest, const LayerTable& layers, std::size_t layer,
                               const LayerWeights& weights, int threads, const StopRequest& stop)
{
    FS_REQUIRE(forest.features() == kFaultFeatures, "a forest of {} features; the faults have {}",
               forest.features(), static_cast<int>(kFaultFeatures));
    FS_CHECK(
        DataError, weights.name == layers.name[layer] && weights.values.size() == layers.weights[layer],
        "layer {} of the model is '{}' with {} weights, of the campaign '{}' with {}: not the same network",
        layer, weights.name, weights.values.size(), layers.name[layer], layers.weights[layer]);
    LayerCriticality map = constant_layer(layers, layer, 0);
    const std::int64_t outputs = layers.out_channels[layer];
    const std::int64_t inputs = layers.in_channels[layer];
    const std::int64_t bits = layers.word_bits[layer];
    const auto kernel = static_cast<std::int64_t>(kernel_elements(layers, layer));

    constexpr std::int64_t kSlabCells = 1 << 20;  // 8 MiB of votes
    const std::int64_t slab = std::max<std::int64_t>(1, kSlabCells / (inputs * 2 * bits));
    parallel_for((outputs + slab - 1) / slab, threads, [&](std::int64_t s) {
        const std::int64_t first = s * slab;
        const std::int64_t last = std::min(outputs, first + slab);
        VoteGrid grid(Box{{first, 0, 0, 0}, {last, inputs, 2, bits}});
        for (std::size_t t = 0; t < forest.trees(); ++t)
        {
            stop_if_asked(stop);
            grid.add_tree(forest.root(t), static_cast<float>(layer));
        }
        grid.finish();
        std::vector<std::uint8_t> cells(grid.votes().size());
        std::transform(
            grid.votes().begin(), grid.votes().end(), cells.begin(), [&forest](std::int64_t votes) {
                return static_cast<std::uint8_t>(std::lround(255.0 * vote_share(votes, forest.trees())));
            });
        for (std::int64_t w = first * inputs * kernel; w < last * inputs * kernel; ++w)
        {
            const bool negative = std::signbit(weights.values[static_cast<std::size_t>(w)]);
            const std::int64_t cell = (w / kernel - first * inputs) * 2 + (negative ? 1 : 0);
            std::copy_n(cells.begin() + cell * bits, bits, map.probability.begin() + w * bits);
        }
    });
    return map;
}

LayerCriticality predict_layer(const ShareTable& shares, const LayerTable& layers, std::size_t layer)
{
    LayerCriticality map = constant_layer(layers, layer, 0);
    const auto bits = static_cast<std::size_t>(map.bits);
    for (std::size_t i = 0; i < map.probability.size(); ++i)
    {
        if (i >= bits)
        {
            map.probability[i] = map.probability[i - bits];
            continue;
        }
        const double share = shares.share(static_cast<float>(layer), static_cast<float>(i));
        map.probability[i] = static_cast<std::uint8_t>(std::lround(255.0 * share));
    }
    return map;
}

LayerCriticality constant_layer(const LayerTable& layers, std::size_t layer, std::uint8_t value)
{
    LayerCriticality map;
    map.layer = layers.name[layer];
    map.weights = layers.weights[layer];
    map.bits = layers.word_bits[layer];
    map.probability.assign(map.weights * static_cast<std::uint64_t>(map.bits), value);
    return map;
}

}  // namespace flipstorm
