#include "analysis/tree.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Weights of both classes.
struct Counts
{
    std::uint64_t acceptable = 0;
    std::uint64_t critical = 0;

    void add(const Sample& sample)
    {
        acceptable += sample.weight[0];
        critical += sample.weight[1];
    }
    [[nodiscard]] double total() const { return static_cast<double>(acceptable + critical); }
    [[nodiscard]] bool pure() const { return acceptable == 0 || critical == 0; }

    /// Weight × Gini impurity, w (1 − Σ p²).
    [[nodiscard]] double weighted_gini() const
    {
        const double w = total();
        const auto a = static_cast<double>(acceptable);
        const auto c = static_cast<double>(critical);
        return w * (1.0 - (a * a + c * c) / (w * w));
    }
    friend Counts operator-(Counts a, Counts b)
    {
        return {a.acceptable - b.acceptable, a.critical - b.critical};
    }
};

struct Split
{
    std::size_t feature = 0;
    std::uint16_t last_left = 0;  ///< codes up to this one go left
    float threshold = 0;
    double impurity = std::numeric_limits<double>::infinity();  ///< Σ weighted Gini of the children

    [[nodiscard]] bool found() const { return impurity < std::numeric_limits<double>::infinity(); }
};

float midpoint(float low, float high)
{
    const auto middle = static_cast<float>(static_cast<double>(low) / 2 + static_cast<double>(high) / 2);
    return middle < high ? middle : low;
}

class Grower
{
  public:
    Grower(std::vector<Sample> samples, const std::vector<std::vector<float>>& bins, std::size_t max_features,
           RandomStream features, const StopRequest& stop)
        : samples_(std::move(samples)),
          bins_(bins),
          max_features_(max_features),
          random_(features),
          stop_(stop)
    {}

    Tree grow()
    {
        tree_.importance.assign(bins_.size(), 0.0);
        std::vector<Task> open{{0, samples_.size(), -1, false}};
        while (!open.empty())
        {
            const Task task = open.back();
            open.pop_back();
            ask_whether_to_stop(task.end - task.begin);
            const auto node = static_cast<std::int32_t>(tree_.nodes.size());
            if (task.parent >= 0)
            {
                TreeNode& parent = tree_.nodes[static_cast<std::size_t>(task.parent)];
                (task.right ? parent.right : parent.left) = node;
            }
            const std::size_t middle = add_node(task.begin, task.end);
            if (middle == task.begin) continue;
            open.push_back({middle, task.end, node, true});
            open.push_back({task.begin, middle, node, false});
        }
        double sum = 0;
        for (const double v : tree_.importance)
            sum += v;
        for (double& v : tree_.importance)
            v = sum > 0 ? v / sum : 0.0;
        return std::move(tree_);
    }

  private:
    struct Task
    {
        std::size_t begin;
        std::size_t end;
        std::int32_t parent;
        bool right;
    };

    /// Ask once per so many samples looked at: a thousandth of a second or so.
    void ask_whether_to_stop(std::size_t samples)
    {
        constexpr std::size_t kSamples = 1 << 16;
        since_asked_ += samples;
        if (since_asked_ < kSamples) return;
        since_asked_ = 0;
        stop_if_asked(stop_);
    }

    /// Append the node of the samples [begin, end) and part them; the first sample of its right child, or
    /// `begin` if the node is a leaf.
    std::size_t add_node(std::size_t begin, std::size_t end)
    {
        Counts counts;
        for (std::size_t i = begin; i < end; ++i)
            counts.add(samples_[i]);
        TreeNode node;
        node.probability = static_cast<float>(static_cast<double>(counts.critical) / counts.total());
        std::size_t middle = begin;
        if (end - begin > 1 && !counts.pure())
        {
            const Split split = best_split(begin, end, counts);
            if (split.found())
            {
                node.feature = static_cast<std::int32_t>(split.feature);
                node.threshold = split.threshold;
                tree_.importance[split.feature] += counts.weighted_gini() - split.impurity;
                const auto first = samples_.begin() + static_cast<std::ptrdiff_t>(begin);
                const auto last = samples_.begin() + static_cast<std::ptrdiff_t>(end);
                const auto right = std::partition(first, last, [&split](const Sample& s) {
                    return s.code[split.feature] <= split.last_left;
                });
                middle = static_cast<std::size_t>(right - samples_.begin());
            }
        }
        tree_.nodes.push_back(node);
        return middle;
    }

    Split best_split(std::size_t begin, std::size_t end, const Counts& counts)
    {
        std::array<std::size_t, kMaxFeatures> order{};
        for (std::size_t f = 0; f < bins_.size(); ++f)
            order[f] = f;
        Split best;
        bool varied = false;
        for (std::size_t visited = 0; visited < bins_.size() && (visited < max_features_ || !varied);
             ++visited)
        {
            const std::size_t left = bins_.size() - visited;
            std::swap(order[visited], order[visited + static_cast<std::size_t>(random_.below(left))]);
            varied = try_feature(order[visited], begin, end, counts, best) || varied;
        }
        return best;
    }

    /// Improve `best` by the splits of one feature; false if the feature is constant in the node.
    bool try_feature(std::size_t feature, std::size_t begin, std::size_t end, const Counts& counts,
                     Split& best)
    {
        std::uint16_t low = samples_[begin].code[feature];
        std::uint16_t high = low;
        for (std::size_t i = begin + 1; i < end; ++i)
        {
            low = std::min(low, samples_[i].code[feature]);
            high = std::max(high, samples_[i].code[feature]);
        }
        if (low == high) return false;
        const std::size_t range = std::size_t{high} - low + 1U;
        if (range <= 4 * (end - begin))
        {
            count_by_histogram(feature, begin, end, low, range);
        }
        else
        {
            count_by_sorting(feature, begin, end);
        }
        Counts left;
        for (std::size_t i = 0; i + 1 < present_.size(); ++i)
        {
            left.acceptable += present_[i].second.acceptable;
            left.critical += present_[i].second.critical;
            const double impurity = left.weighted_gini() + (counts - left).weighted_gini();
            if (impurity < best.impurity)
            {
                const std::vector<float>& values = bins_[feature];
                best = {feature, present_[i].first,
                        midpoint(values[present_[i].first], values[present_[i + 1].first]), impurity};
            }
        }
        return true;
    }

    void count_by_histogram(std::size_t feature, std::size_t begin, std::size_t end, std::uint16_t low,
                            std::size_t range)
    {
        histogram_.assign(range, Counts{});
        for (std::size_t i = begin; i < end; ++i)
        {
            histogram_[static_cast<std::size_t>(samples_[i].code[feature] - low)].add(samples_[i]);
        }
        present_.clear();
        for (std::size_t bin = 0; bin < range; ++bin)
        {
            if (histogram_[bin].total() > 0)
                present_.emplace_back(static_cast<std::uint16_t>(low + bin), histogram_[bin]);
        }
    }

    void count_by_sorting(std::size_t feature, std::size_t begin, std::size_t end)
    {
        present_.clear();
        for (std::size_t i = begin; i < end; ++i)
        {
            present_.emplace_back(samples_[i].code[feature],
                                  Counts{samples_[i].weight[0], samples_[i].weight[1]});
        }
        std::sort(present_.begin(), present_.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
        std::size_t kept = 0;
        for (std::size_t i = 1; i < present_.size(); ++i)
        {
            if (present_[i].first == present_[kept].first)
            {
                present_[kept].second.acceptable += present_[i].second.acceptable;
                present_[kept].second.critical += present_[i].second.critical;
            }
            else
            {
                present_[++kept] = present_[i];
            }
        }
        present_.resize(kept + 1);
    }

    std::vector<Sample> samples_;
    const std::vector<std::vector<float>>& bins_;
    std::size_t max_features_;
    RandomStream random_;
    const StopRequest& stop_;
    std::size_t since_asked_ = 0;
    Tree tree_;
    std::vector<Counts> histogram_;
    std::vector<std::pair<std::uint16_t, Counts>> present_;  ///< codes of a feature in the node, ascending
};

}  // namespace

Tree grow_tree(std::vector<Sample> samples, const std::vector<std::vector<float>>& bins,
               std::size_t max_features, RandomStream features, const StopRequest& stop)
{
    FS_REQUIRE(!samples.empty(), "a tree needs samples");
    return Grower(std::move(samples), bins, max_features, features, stop).grow();
}

}  // namespace flipstorm
