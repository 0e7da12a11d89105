#include "analysis/tree.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

double total_of(ClassWeight weight)
{
    return static_cast<double>(acceptable_of(weight)) + static_cast<double>(critical_of(weight));
}

/// Σ (weight of a class)² / weight; Gini impurity times weight is weight − purity.
double purity(ClassWeight weight)
{
    const auto a = static_cast<double>(acceptable_of(weight));
    const auto c = static_cast<double>(critical_of(weight));
    return (a * a + c * c) / (a + c);
}

/// Bit 0: acceptable rows are among them; bit 1: critical ones.
unsigned classes_of(ClassWeight weight)
{
    return (acceptable_of(weight) != 0 ? 1U : 0U) | (critical_of(weight) != 0 ? 2U : 0U);
}

struct Split
{
    std::size_t feature = 0;
    std::size_t last_left = 0;  ///< codes up to this one go left
    std::size_t first_right = 0;
    double purity = -1;  ///< Σ of the children's
    ClassWeight left = 0;

    [[nodiscard]] bool found() const { return purity >= 0; }
};

float midpoint(float low, float high)
{
    const auto middle = static_cast<float>(static_cast<double>(low) / 2 + static_cast<double>(high) / 2);
    return middle < high ? middle : low;
}

/// Weights by code of one feature in a node.
class Histogram
{
  public:
    explicit Histogram(std::size_t codes) : weights_(2 * codes, 0), seen_((codes + 63) / 64, 0), codes_(codes)
    {}

    [[nodiscard]] std::size_t codes() const { return codes_; }

    /// Two copies, for neighbouring samples, so that the second of equal ones need not wait for the first.
    [[nodiscard]] ClassWeight* weights(std::size_t copy) { return weights_.data() + copy * codes_; }

    /// A bit for each code, where few samples fall on many codes.
    [[nodiscard]] std::uint64_t* seen() { return seen_.data(); }

    /// `take(code, weight)` for each code of [low, high] that has a weight, ascending; empties the histogram.
    template<class Take>
    void drain(bool few, std::size_t low, std::size_t high, const Take& take)
    {
        ClassWeight* const first = weights(0);
        ClassWeight* const second = weights(1);
        if (few)
        {
            for (std::size_t word = low / 64; word <= high / 64; ++word)
            {
                for (std::uint64_t bits = std::exchange(seen_[word], 0); bits != 0; bits &= bits - 1)
                {
                    const std::size_t code = 64 * word + static_cast<std::size_t>(__builtin_ctzll(bits));
                    take(code, std::exchange(first[code], 0));
                }
            }
            return;
        }
        for (std::size_t code = low; code <= high; ++code)
        {
            const ClassWeight weight = first[code] + second[code];
            if (weight == 0) continue;
            first[code] = 0;
            second[code] = 0;
            take(code, weight);
        }
    }

  private:
    std::vector<ClassWeight> weights_;
    std::vector<std::uint64_t> seen_;
    std::size_t codes_;
};

/// Samples as they come.
template<std::size_t Words>
struct WideForm
{
    using Kept = Sample<Words>;

    [[nodiscard]] static std::uint64_t word(const Kept& sample, const PackedField& field)
    {
        return sample.key[Words == 1 ? 0 : field.word];
    }
    [[nodiscard]] static ClassWeight weight(const Kept& sample) { return sample.weight; }
};

/// Samples of one word, with small weights in the bits that the key leaves free: half of the memory to be
/// moved.
class CompactForm
{
  public:
    using Kept = std::uint64_t;

    explicit CompactForm(unsigned free_bits)
        : bits_(std::min(32U, free_bits / 2)), mask_((std::uint64_t{1} << bits_) - 1)
    {}

    [[nodiscard]] bool fits(ClassWeight weight) const
    {
        return acceptable_of(weight) <= mask_ && critical_of(weight) <= mask_;
    }
    [[nodiscard]] Kept kept(const Sample<1>& sample) const
    {
        return sample.key[0] | std::uint64_t{critical_of(sample.weight)} << bits_ |
               acceptable_of(sample.weight);
    }
    [[nodiscard]] static std::uint64_t word(Kept sample, const PackedField& /*field*/) { return sample; }
    [[nodiscard]] ClassWeight weight(const Kept& sample) const
    {
        return (sample & mask_) | ((sample >> bits_) & mask_) << 32U;
    }

  private:
    unsigned bits_;
    std::uint64_t mask_;
};

template<class Form>
class Grower
{
    using Kept = typename Form::Kept;

  public:
    Grower(std::vector<Kept> samples, Form form, const KeyLayout& layout,
           const std::vector<std::vector<float>>& bins, std::size_t max_features, RandomStream features,
           const StopRequest& stop)
        : samples_(std::move(samples)),
          spare_(samples_.size()),
          form_(form),
          layout_(layout),
          bins_(bins),
          max_features_(max_features),
          random_(features),
          stop_(stop)
    {
        for (const std::vector<float>& values : bins)
            histograms_.emplace_back(values.size());
    }

    Tree grow()
    {
        tree_.importance.assign(bins_.size(), 0.0);
        Task root{0, samples_.size(), -1, false, 0, {}, {}};
        for (const Kept& sample : samples_)
            root.weight += form_.weight(sample);
        for (std::size_t f = 0; f < bins_.size(); ++f)
            root.high[f] = static_cast<std::uint16_t>(bins_[f].size() - 1);
        std::vector<Task> open{root};
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
            const Split split = add_node(task);
            if (!split.found()) continue;
            const std::size_t middle = part(task, split);
            Task left{task.begin, middle, node, false, split.left, task.low, task.high};
            left.high[split.feature] = static_cast<std::uint16_t>(split.last_left);
            Task right{middle, task.end, node, true, task.weight - split.left, task.low, task.high};
            right.low[split.feature] = static_cast<std::uint16_t>(split.first_right);
            open.push_back(right);
            open.push_back(left);
        }
        double sum = 0;
        for (const double v : tree_.importance)
            sum += v;
        for (double& v : tree_.importance)
            v = sum > 0 ? v / sum : 0.0;
        return std::move(tree_);
    }

  private:
    /// A node to be added: samples [begin, end), and bounds of their codes.
    struct Task
    {
        std::size_t begin;
        std::size_t end;
        std::int32_t parent;
        bool right;
        ClassWeight weight;
        std::array<std::uint16_t, kMaxFeatures> low;
        std::array<std::uint16_t, kMaxFeatures> high;
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

    /// Append a node; how its samples are parted, if they are.
    Split add_node(const Task& task)
    {
        TreeNode node;
        node.probability =
            static_cast<float>(static_cast<double>(critical_of(task.weight)) / total_of(task.weight));
        Split split;
        if (task.end - task.begin > 1 && classes_of(task.weight) == 3) split = best_split(task);
        if (split.found())
        {
            const std::vector<float>& values = bins_[split.feature];
            node.feature = static_cast<std::int32_t>(split.feature);
            node.threshold = midpoint(values[split.last_left], values[split.first_right]);
            // Parts of the same share gain nothing, but for rounding.
            tree_.importance[split.feature] += std::max(0.0, split.purity - purity(task.weight));
        }
        tree_.nodes.push_back(node);
        return split;
    }

    Split best_split(const Task& task)
    {
        std::array<std::size_t, kMaxFeatures> order{};
        for (std::size_t f = 0; f < bins_.size(); ++f)
            order[f] = f;
        Split best;
        bool varied = false;
        std::size_t visited = 0;
        while (visited < bins_.size() && (visited < max_features_ || !varied))
        {
            // Two features share one look at the samples.
            std::array<std::size_t, 2> varying{};
            std::size_t count = 0;
            const std::size_t until =
                visited < max_features_ ? std::min(visited + 2, max_features_) : visited + 1;
            for (; visited < std::min(until, bins_.size()); ++visited)
            {
                const std::size_t left = bins_.size() - visited;
                std::swap(order[visited], order[visited + random_.below32(static_cast<std::uint32_t>(left))]);
                const std::size_t feature = order[visited];
                if (task.low[feature] < task.high[feature]) varying[count++] = feature;
            }
            if (count == 0) continue;
            const bool few = count_codes(task, varying, count);
            for (std::size_t i = 0; i < count; ++i)
                varied = try_feature(varying[i], few, task, best) || varied;
        }
        return best;
    }

    /// Fill the histograms of one or two features; true if there are few samples for their codes.
    bool count_codes(const Task& task, const std::array<std::size_t, 2>& features, std::size_t count)
    {
        Histogram& a = histograms_[features[0]];
        Histogram& b = histograms_[features[count - 1]];
        const PackedField in_a = layout_.field(features[0]);
        const PackedField in_b = layout_.field(features[count - 1]);
        const Kept* const first = samples_.data() + task.begin;
        const Kept* const last = samples_.data() + task.end;
        const bool few = 2 * (task.end - task.begin) < std::max(a.codes(), b.codes());
        if (few)
        {
            count_few(first, last, in_a, a);
            if (count == 2) count_few(first, last, in_b, b);
        }
        else if (count == 2)
        {
            count_many(first, last, in_a, in_b, a, b);
        }
        else
        {
            count_many(first, last, in_a, a);
        }
        return few;
    }

    void count_few(const Kept* first, const Kept* last, const PackedField in, Histogram& histogram) const
    {
        ClassWeight* const weights = histogram.weights(0);
        std::uint64_t* const seen = histogram.seen();
        for (; first != last; ++first)
        {
            const std::size_t code = in.in_word(Form::word(*first, in));
            weights[code] += form_.weight(*first);
            seen[code / 64] |= std::uint64_t{1} << (code % 64);
        }
    }

    void count_many(const Kept* first, const Kept* last, const PackedField in, Histogram& histogram) const
    {
        const Form form = form_;
        ClassWeight* const even = histogram.weights(0);
        ClassWeight* const odd = histogram.weights(1);
        for (; last - first >= 2; first += 2)
        {
            even[in.in_word(Form::word(first[0], in))] += form.weight(first[0]);
            odd[in.in_word(Form::word(first[1], in))] += form.weight(first[1]);
        }
        if (first != last) even[in.in_word(Form::word(*first, in))] += form.weight(*first);
    }

    void count_many(const Kept* first, const Kept* last, const PackedField in_a, const PackedField in_b,
                    Histogram& a, Histogram& b) const
    {
        const Form form = form_;
        ClassWeight* const even_a = a.weights(0);
        ClassWeight* const odd_a = a.weights(1);
        ClassWeight* const even_b = b.weights(0);
        ClassWeight* const odd_b = b.weights(1);
        const auto add = [&](const Kept& sample, ClassWeight* to_a, ClassWeight* to_b) {
            const ClassWeight weight = form.weight(sample);
            to_a[in_a.in_word(Form::word(sample, in_a))] += weight;
            to_b[in_b.in_word(Form::word(sample, in_b))] += weight;
        };
        for (; last - first >= 2; first += 2)
        {
            add(first[0], even_a, even_b);
            add(first[1], odd_a, odd_b);
        }
        if (first != last) add(*first, even_a, even_b);
    }

    /// Improve `best` by the splits of one feature; false if the feature is constant in the node.
    bool try_feature(std::size_t feature, bool few, const Task& task, Split& best)
    {
        ClassWeight left = 0;
        std::size_t before = 0;
        unsigned classes = 0;
        bool varied = false;
        histograms_[feature].drain(few, task.low[feature], task.high[feature],
                                   [&](std::size_t code, ClassWeight weight) {
                                       const unsigned here = classes_of(weight);
                                       // Weighted impurity is concave along a run of one class: its least is
                                       // at an end of the run.
                                       if (left != 0 && (classes != here || here == 3))
                                       {
                                           const double both = purity(left) + purity(task.weight - left);
                                           if (both > best.purity) best = {feature, before, code, both, left};
                                       }
                                       varied = varied || left != 0;
                                       left += weight;
                                       before = code;
                                       classes = here;
                                   });
        return varied;
    }

    /// Samples that go left before those that go right, each in their order; the first that goes right.
    std::size_t part(const Task& task, const Split& split)
    {
        const PackedField in = layout_.field(split.feature);
        const std::uint64_t mask = in.mask << in.shift;
        const std::uint64_t last_left = std::uint64_t{split.last_left} << in.shift;
        Kept* const samples = samples_.data();
        Kept* const spare = spare_.data();
        std::size_t left = task.begin;
        for (std::size_t i = task.begin; i < task.end; ++i)
        {
            // Written to both sides, kept on one: no branch to be guessed.
            const Kept sample = samples[i];
            samples[left] = sample;
            spare[i - left] = sample;
            left += static_cast<std::size_t>((Form::word(sample, in) & mask) <= last_left);
        }
        std::copy_n(spare, task.end - left, samples + left);
        return left;
    }

    std::vector<Kept> samples_;
    std::vector<Kept> spare_;
    Form form_;
    const KeyLayout& layout_;
    const std::vector<std::vector<float>>& bins_;
    std::size_t max_features_;
    RandomStream random_;
    const StopRequest& stop_;
    std::size_t since_asked_ = 0;
    Tree tree_;
    std::vector<Histogram> histograms_;
};

}  // namespace

template<std::size_t Words>
Tree grow_tree(std::vector<Sample<Words>> samples, const KeyLayout& layout,
               const std::vector<std::vector<float>>& bins, std::size_t max_features, RandomStream features,
               const StopRequest& stop)
{
    FS_REQUIRE(!samples.empty(), "a tree needs samples");
    if constexpr (Words == 1)
    {
        const CompactForm form(layout.free_bits());
        if (std::all_of(samples.begin(), samples.end(),
                        [&form](const Sample<1>& s) { return form.fits(s.weight); }))
        {
            std::vector<std::uint64_t> kept(samples.size());
            std::transform(samples.begin(), samples.end(), kept.begin(),
                           [&form](const Sample<1>& s) { return form.kept(s); });
            samples = {};
            return Grower<CompactForm>(std::move(kept), form, layout, bins, max_features, features, stop)
                .grow();
        }
    }
    return Grower<WideForm<Words>>(std::move(samples), {}, layout, bins, max_features, features, stop).grow();
}

template Tree grow_tree(std::vector<Sample<1>>, const KeyLayout&, const std::vector<std::vector<float>>&,
                        std::size_t, RandomStream, const StopRequest&);
template Tree grow_tree(std::vector<Sample<2>>, const KeyLayout&, const std::vector<std::vector<float>>&,
                        std::size_t, RandomStream, const StopRequest&);
template Tree grow_tree(std::vector<Sample<4>>, const KeyLayout&, const std::vector<std::vector<float>>&,
                        std::size_t, RandomStream, const StopRequest&);

}  // namespace flipstorm
