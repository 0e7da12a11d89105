#include "analysis/criticality.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

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
    kKernelAxis = 2,
    kSignAxis = 3,
    kBitAxis = 4,
    kAxes = 5,
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

/// What a feature is to a layer: an axis of the grid, or the same for all its bits.
struct FeatureRole
{
    std::size_t axis = kAxes;  ///< kAxes: none
    float value = 0;           ///< of a feature without an axis
};

/// What the features are to a layer; none if one of them is neither.
std::optional<std::vector<FeatureRole>> roles_of(const FaultFeatures& features, std::size_t layer)
{
    std::vector<FeatureRole> roles(kFaultFeatures);
    roles[kSignFeature] = {kSignAxis, 0};
    roles[kBitFeature] = {kBitAxis, 0};
    roles[kLayerFeature] = {kAxes, static_cast<float>(layer)};
    roles[kOutChannelFeature] = {kOutAxis, 0};
    roles[kInChannelFeature] = {kInAxis, 0};
    for (const ExtraFeature feature : features.extra())
    {
        switch (feature)
        {
            case ExtraFeature::kernel_position:
                roles.push_back({kKernelAxis, 0});
                continue;
            case ExtraFeature::layer_type:
            case ExtraFeature::fan_in:
            case ExtraFeature::depth:
                roles.push_back({kAxes, features.value(feature, layer, 0, 0)});
                continue;
            case ExtraFeature::exponent:
            case ExtraFeature::magnitude:
            case ExtraFeature::direction:
            case ExtraFeature::change:
            case ExtraFeature::filter_norm:
                return std::nullopt;
        }
    }
    return roles;
}

/// First whole number above `threshold`, kept within [low, high].
std::int64_t first_right(float threshold, std::int64_t low, std::int64_t high)
{
    const double first = std::floor(static_cast<double>(threshold)) + 1.0;
    return static_cast<std::int64_t>(std::clamp(first, static_cast<double>(low), static_cast<double>(high)));
}

/// A leaf of a tree: its box within a layer, and its vote.
struct VotedBox
{
    Box box;
    std::int64_t votes = 0;
};

/// The leaves of a tree that a layer reaches, whose vote is not 0.
class LeavesOfLayer
{
  public:
    LeavesOfLayer(const TreeNode* root, const std::vector<FeatureRole>& roles, const Box& layer)
        : root_(root), roles_(roles)
    {
        add_subtree(root, layer);
    }

    [[nodiscard]] std::vector<VotedBox>& boxes() { return boxes_; }

  private:
    void add_subtree(const TreeNode* node, Box box)
    {
        while (!node->is_leaf())
        {
            const FeatureRole& role = roles_[static_cast<std::size_t>(node->feature)];
            const std::size_t axis = role.axis;
            if (axis == kAxes)
            {
                node = root_ + (role.value <= node->threshold ? node->left : node->right);
                continue;
            }
            Box right = box;
            right.low[axis] = first_right(node->threshold, box.low[axis], box.high[axis]);
            box.high[axis] = right.low[axis];
            if (!right.empty()) add_subtree(root_ + node->right, right);
            if (box.empty()) return;
            node = root_ + node->left;
        }
        if (const std::int64_t votes = vote(*node); votes != 0) boxes_.push_back({box, votes});
    }

    const TreeNode* root_;
    const std::vector<FeatureRole>& roles_;
    std::vector<VotedBox> boxes_;
};

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

    /// Add what of a leaf lies within the box.
    void add(const VotedBox& leaf)
    {
        Box box = leaf.box;
        box.low[kOutAxis] = std::max(box.low[kOutAxis], box_.low[kOutAxis]);
        box.high[kOutAxis] = std::min(box.high[kOutAxis], box_.high[kOutAxis]);
        if (box.low[kOutAxis] < box.high[kOutAxis]) add_box(box, leaf.votes);
    }

    /// Turn the differences into sums; call once, after all trees.
    void finish()
    {
        // The inner axes of an input channel while it is in the nearest cache, then the two outer ones at
        // once: inner + left + above − above left.
        const std::int64_t block = stride_[kInAxis];
        const std::int64_t row = stride_[kOutAxis];
        for (std::int64_t out = 0; out < box_.high[kOutAxis] - box_.low[kOutAxis]; ++out)
        {
            for (std::int64_t in = 0; in < box_.high[kInAxis] - box_.low[kInAxis]; ++in)
            {
                std::int64_t* const here = votes_.data() + out * row + in * block;
                for (std::size_t a = kBitAxis; a > kInAxis; --a)
                    sum_along(here, block, stride_[a], stride_[a - 1]);
                if (in > 0)
                {
                    for (std::int64_t i = 0; i < block; ++i)
                        here[i] += here[i - block];
                }
                if (out > 0)
                {
                    for (std::int64_t i = 0; i < block; ++i)
                        here[i] += here[i - row];
                }
                if (in > 0 && out > 0)
                {
                    for (std::int64_t i = 0; i < block; ++i)
                        here[i] -= here[i - row - block];
                }
            }
        }
    }

    [[nodiscard]] const std::vector<std::int64_t>& votes() const { return votes_; }

  private:
    /// Sum an axis of that stride, which ends after `whole` cells, in each part of a block.
    static void sum_along(std::int64_t* votes, std::int64_t block, std::int64_t stride, std::int64_t whole)
    {
        for (std::int64_t start = 0; start < block; start += whole)
        {
            for (std::int64_t i = start + stride; i < start + whole; ++i)
                votes[i] += votes[i - stride];
        }
    }

    void add_box(const Box& box, std::int64_t votes)
    {
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

/// The vote as the map has it: lround(255 p), of p from 0 to 1, without a call.
std::uint8_t stored_vote(double probability)
{
    const double scaled = 255.0 * probability;
    const auto rounded = static_cast<std::int32_t>(scaled + 0.5);
    // Where the sum was rounded up to the next half.
    return static_cast<std::uint8_t>(rounded - (static_cast<double>(rounded) - scaled > 0.5 ? 1 : 0));
}

/// The map where all features follow from the place of a weight.
void predict_by_place(const Forest& forest, const std::vector<FeatureRole>& roles, const LayerTable& layers,
                      std::size_t layer, const LayerWeights& weights, int threads, const StopRequest& stop,
                      LayerCriticality& map)
{
    const std::int64_t outputs = layers.out_channels[layer];
    const std::int64_t inputs = layers.in_channels[layer];
    const std::int64_t bits = layers.word_bits[layer];
    const auto kernel = static_cast<std::int64_t>(kernel_elements(layers, layer));
    const bool by_position = std::any_of(roles.begin(), roles.end(),
                                         [](const FeatureRole& role) { return role.axis == kKernelAxis; });
    const std::int64_t positions = by_position ? kernel : 1;

    const Box whole{{0, 0, 0, 0, 0}, {outputs, inputs, positions, 2, bits}};
    std::vector<std::vector<VotedBox>> leaves(forest.trees());
    parallel_for(static_cast<std::int64_t>(forest.trees()), threads, [&](std::int64_t t) {
        stop_if_asked(stop);
        const auto tree = static_cast<std::size_t>(t);
        leaves[tree] = std::move(LeavesOfLayer(forest.root(tree), roles, whole).boxes());
    });

    constexpr std::int64_t kSlabCells = 1 << 20;  // 8 MiB of votes; each slab looks at all leaves
    const std::int64_t slab = std::max<std::int64_t>(1, kSlabCells / (inputs * positions * 2 * bits));
    parallel_for((outputs + slab - 1) / slab, threads, [&](std::int64_t s) {
        const std::int64_t first = s * slab;
        const std::int64_t last = std::min(outputs, first + slab);
        VoteGrid grid(Box{{first, 0, 0, 0, 0}, {last, inputs, positions, 2, bits}});
        for (const std::vector<VotedBox>& of_tree : leaves)
        {
            stop_if_asked(stop);
            for (const VotedBox& leaf : of_tree)
                grid.add(leaf);
        }
        grid.finish();
        const auto convert = [&forest](const std::int64_t* votes, std::int64_t count, std::uint8_t* to) {
            for (std::int64_t i = 0; i < count; ++i)
                to[i] = stored_vote(vote_share(votes[i], forest.trees()));
        };
        // Positions that look alike share what is converted; else a cell is that of one weight, of one sign.
        std::vector<std::uint8_t> cells;
        if (!by_position)
        {
            cells.resize(grid.votes().size());
            convert(grid.votes().data(), static_cast<std::int64_t>(cells.size()), cells.data());
        }
        for (std::int64_t w = first * inputs * kernel; w < last * inputs * kernel; ++w)
        {
            const bool negative = std::signbit(weights.values[static_cast<std::size_t>(w)]);
            const std::int64_t place = (by_position ? w : w / kernel) - first * inputs * positions;
            const std::int64_t cell = (place * 2 + (negative ? 1 : 0)) * bits;
            std::uint8_t* const to = map.probability.data() + w * bits;
            if (by_position)
                convert(grid.votes().data() + cell, bits, to);
            else
                std::copy_n(cells.begin() + cell, bits, to);
        }
    });
}

/// The map for any features: each distinct row goes down all trees.
void predict_by_row(const Forest& forest, const FaultFeatures& features, const LayerTable& layers,
                    std::size_t layer, const LayerWeights& weights, int threads, const StopRequest& stop,
                    LayerCriticality& map)
{
    const auto bits = static_cast<std::uint64_t>(layers.word_bits[layer]);
    const std::uint64_t kernel = kernel_elements(layers, layer);
    const auto inputs = static_cast<std::uint64_t>(layers.in_channels[layer]);
    constexpr std::uint64_t kSlabRows = 1 << 18;
    const std::uint64_t slab = std::max<std::uint64_t>(1, kSlabRows / bits);  // weights
    const auto slabs = static_cast<std::int64_t>((layers.weights[layer] + slab - 1) / slab);
    parallel_for(slabs, threads, [&](std::int64_t s) {
        stop_if_asked(stop);
        const std::uint64_t first = static_cast<std::uint64_t>(s) * slab;
        const std::uint64_t last = std::min(layers.weights[layer], first + slab);
        std::vector<std::vector<float>> columns(features.size());
        for (std::vector<float>& column : columns)
            column.reserve((last - first) * bits);
        for (std::uint64_t w = first; w < last; ++w)
        {
            const bool negative = std::signbit(weights.values[static_cast<std::size_t>(w)]);
            for (std::uint64_t bit = 0; bit < bits; ++bit)
            {
                columns[kSignFeature].push_back(negative ? 1 : 0);
                columns[kBitFeature].push_back(static_cast<float>(bit));
                columns[kLayerFeature].push_back(static_cast<float>(layer));
                columns[kOutChannelFeature].push_back(static_cast<float>(w / kernel / inputs));
                columns[kInChannelFeature].push_back(static_cast<float>(w / kernel % inputs));
                for (std::size_t e = 0; e < features.extra().size(); ++e)
                {
                    columns[kFaultFeatures + e].push_back(
                        features.value(features.extra()[e], layer, w, static_cast<std::int32_t>(bit)));
                }
            }
        }
        const FeatureTable table = make_feature_table(features.names(), columns);
        std::vector<std::uint32_t> cells(table.cells());
        std::iota(cells.begin(), cells.end(), 0U);
        const std::vector<double> votes = forest.predict(table, cells, 1, stop);
        std::transform(table.cell.begin(), table.cell.end(),
                       map.probability.begin() + static_cast<std::ptrdiff_t>(first * bits),
                       [&votes](std::uint32_t cell) { return stored_vote(votes[cell]); });
    });
}

}  // namespace

LayerCriticality predict_layer(const Forest& forest, const FaultFeatures& features, const LayerTable& layers,
                               std::size_t layer, const LayerWeights& weights, int threads,
                               const StopRequest& stop)
{
    FS_REQUIRE(forest.features() == features.size(), "a forest of {} features; the faults have {}",
               forest.features(), features.size());
    FS_CHECK(
        DataError, weights.name == layers.name[layer] && weights.values.size() == layers.weights[layer],
        "layer {} of the model is '{}' with {} weights, of the campaign '{}' with {}: not the same network",
        layer, weights.name, weights.values.size(), layers.name[layer], layers.weights[layer]);
    LayerCriticality map = constant_layer(layers, layer, 0);
    if (const auto roles = roles_of(features, layer))
        predict_by_place(forest, *roles, layers, layer, weights, threads, stop, map);
    else
        predict_by_row(forest, features, layers, layer, weights, threads, stop, map);
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
        map.probability[i] = stored_vote(share);
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
