#include "engine/evaluate/transient_evaluator.hpp"

#include <algorithm>
#include <deque>

#include "engine/base/error.hpp"
#include "engine/base/parallel.hpp"
#include "engine/compute/integer/integer_arithmetic.hpp"
#include "engine/compute/strike_backend.hpp"
#include "engine/evaluate/backend_choice.hpp"
#include "engine/evaluate/judge.hpp"

namespace flipstorm
{

namespace
{

/// A layer, and what its faults need.
struct StruckLayer
{
    LayerSuffix suffix;
    Shape shape;  ///< of the output
    DotProducts products;
    const float* weight = nullptr;
    const float* bias = nullptr;  ///< null: none
};

/// By layer id; they point into the network.
std::vector<StruckLayer> struck_layers(const Network& network)
{
    std::vector<StruckLayer> layers;
    for (const InjectableLayer& layer : injectable_layers(network))
    {
        const Node& node = network.graph.node(layer.node);
        StruckLayer struck;
        struck.suffix = layer_suffix(network.graph, layer.node);
        struck.shape = node.shape;
        struck.products = dot_products(network.graph, layer.node);
        struck.weight = network.parameters[layer.weight].values().data();
        if (parameters_of(node).size() > 1)
            struck.bias = network.parameters[layer.weight + 1].values().data();
        layers.push_back(std::move(struck));
    }
    return layers;
}

/// A transient fault in a layer's output.
class TransientDisturbance : public Disturbance
{
  public:
    TransientDisturbance(const StruckLayer& layer, const TransientFault& fault, std::size_t strike)
        : layer_(layer), fault_(fault), strike_(strike)
    {}

    /// Number of the strike that it belongs to.
    [[nodiscard]] std::size_t strike() const { return strike_; }

    [[nodiscard]] bool needs_input() const override
    {
        return std::holds_alternative<InstructionFault>(fault_);
    }

    void apply(const float* input, float* output) const override
    {
        if (const auto* map = std::get_if<FeatureMapFault>(&fault_))
            corrupt(*map, layer_.shape, output);
        else
            corrupt(std::get<InstructionFault>(fault_), layer_.products, layer_.weight, layer_.bias, input,
                    output);
    }

    /// An error value meets what the word reads as, and the sum is stored again: rounded and saturated. What
    /// is not a number is stored as 0.
    void apply(const StoredActivation& stored, std::int32_t* codes) const override
    {
        const auto& map = std::get<FeatureMapFault>(fault_);
        const auto scale = static_cast<double>(stored.scale);
        const CodeLimits limits = code_limits(stored.bits);
        for_each_struck(map, layer_.shape, [&](std::size_t element) {
            std::int32_t& code = codes[element];
            if (map.combine == Combine::bit_flip)
            {
                const auto word = static_cast<std::uint32_t>(code) ^ (1U << static_cast<unsigned>(map.value));
                const auto bits = static_cast<unsigned>(stored.bits);
                code = static_cast<std::int32_t>(
                    whole_number(word & (~std::uint32_t{0} >> (32U - bits)), stored.bits));
                return;
            }
            const auto golden = static_cast<float>(static_cast<double>(code) * scale);
            const float faulty = corrupted(map.combine, golden, map.value);
            code = static_cast<std::int32_t>(code_of(static_cast<double>(faulty), scale, limits));
        });
    }

  private:
    const StruckLayer& layer_;
    const TransientFault& fault_;
    std::size_t strike_;
};

/// What became of a pair.
struct PairOutcome
{
    Tally tally;
    bool masked = false;
    bool followed = false;  ///< to the logits
};

/// Judges the pairs of a batch.
class StrikeJudge : public StrikePolicy
{
  public:
    StrikeJudge(const Golden& golden, std::int64_t classes, const StruckPair* pairs, PairOutcome* outcomes)
        : golden_(golden), classes_(classes), pairs_(pairs), outcomes_(outcomes)
    {}

    void masked(std::size_t pair, bool followed) override
    {
        const auto n = static_cast<std::size_t>(pairs_[pair].image);
        outcomes_[pair] = {{1, golden_.top1[n] == golden_.label[n] ? 1U : 0U, 0, 0}, true, followed};
    }

    void at_logits(std::size_t pair, const float* logits) override
    {
        const auto n = static_cast<std::size_t>(pairs_[pair].image);
        outcomes_[pair] = {judge(logits, classes_, golden_.label[n], golden_.top1[n]), false, true};
    }

  private:
    const Golden& golden_;
    std::int64_t classes_;
    const StruckPair* pairs_;
    PairOutcome* outcomes_;
};

}  // namespace

class TransientEvaluator::Implementation
{
  public:
    Implementation(const Network& network, const ImageSet& images, const EvaluationOptions& options)
        : network_(network),
          images_(images),
          threads_(evaluation_threads(options.device, options.threads)),
          layers_(struck_layers(network_))
    {
        check_test_images(network, images);
        FS_REQUIRE(options.mode != EvaluationMode::screened, "transient faults are not screened");
        if (options.device.cuda) set_reproducible_arithmetic();
        const bool native = computes_natively(network, options);
        const bool reference = options.mode == EvaluationMode::reference;
        if (is_emulated(network, options))
            backend_ = make_emulated_strikes(network_, images_, options.device, reference);
        else if (network.computes_in_integers())
            backend_ = make_integer_strikes(network_, images_, reference);
        else if (native)
            backend_ = make_native_strikes(network_, images_);
        else
            backend_ = make_libtorch_strikes(network_, images_, options.device, reference);
        const std::uint64_t bytes = backend_->memory();
        FS_CHECK(JobError, options.memory_budget >= bytes,
                 "campaign.memory_budget is {} MiB; the values of a batch of images need {}",
                 options.memory_budget >> 20U, (bytes >> 20U) + 1);
        threads_ = static_cast<int>(
            std::min<std::uint64_t>(static_cast<std::uint64_t>(threads_), options.memory_budget / bytes));
        logits_ = backend_->golden_logits(threads_);
        golden_ = golden_of(logits_, images_.labels);
    }

    [[nodiscard]] const Golden& golden() const { return golden_; }
    [[nodiscard]] const WorkCount& work() const { return work_; }

    std::optional<std::vector<TransientOutcome>> evaluate(LayerId layer,
                                                          const std::vector<TransientStrike>& strikes,
                                                          const std::function<bool()>& should_stop)
    {
        const StruckLayer& struck = layers_.at(static_cast<std::size_t>(layer.value()));
        std::deque<TransientDisturbance> disturbances;  // by strike
        std::vector<StruckPair> pairs;
        for (const TransientStrike& strike : strikes)
        {
            FS_CHECK(
                JobError,
                !network_.computes_in_integers() || std::holds_alternative<FeatureMapFault>(strike.fault),
                "campaign.target = \"instructions\" emulates floating-point instructions; the network is "
                "computed in {}: take \"feature_maps\"",
                to_string(network_.format));
            disturbances.emplace_back(struck, strike.fault, disturbances.size());
            for (const std::int64_t image : strike.images)
            {
                FS_REQUIRE(image >= 0 && image < images_.size(), "image {} of {}", image, images_.size());
                pairs.push_back({&disturbances.back(), image});
            }
        }
        std::stable_sort(pairs.begin(), pairs.end(),
                         [](const StruckPair& a, const StruckPair& b) { return a.image < b.image; });
        std::vector<PairOutcome> outcomes(pairs.size());
        const std::size_t batch = backend_->batch();
        const std::size_t batches = (pairs.size() + batch - 1) / batch;
        // Some batches per thread between two questions, or the threads would wait for the last one each
        // time.
        constexpr std::size_t kRound = 4;
        const std::size_t round = kRound * static_cast<std::size_t>(threads_);
        for (std::size_t first = 0; first < batches; first += round)
        {
            if (should_stop && should_stop()) return std::nullopt;
            const std::size_t now = std::min(round, batches - first);
            parallel_for(static_cast<std::int64_t>(now), threads_, [&](std::int64_t b) {
                const std::size_t begin = (first + static_cast<std::size_t>(b)) * batch;
                const std::size_t count = std::min(batch, pairs.size() - begin);
                StrikeJudge judge(golden_, network_.num_classes, pairs.data() + begin,
                                  outcomes.data() + begin);
                backend_->follow(struck.suffix, pairs.data() + begin, count, logits_, judge);
            });
        }
        return gather(strikes.size(), pairs, outcomes);
    }

  private:
    std::vector<TransientOutcome> gather(std::size_t strikes, const std::vector<StruckPair>& pairs,
                                         const std::vector<PairOutcome>& of_pairs)
    {
        std::vector<TransientOutcome> outcomes(strikes);
        std::vector<std::int64_t> lost(strikes, 0);
        for (std::size_t p = 0; p < pairs.size(); ++p)
        {
            const std::size_t k = static_cast<const TransientDisturbance*>(pairs[p].disturbance)->strike();
            const auto image = static_cast<std::size_t>(pairs[p].image);
            outcomes[k].tally += of_pairs[p].tally;
            outcomes[k].masked += of_pairs[p].masked ? 1 : 0;
            lost[k] += golden_.top1[image] == golden_.label[image] ? 1 : 0;
            lost[k] -= static_cast<std::int64_t>(of_pairs[p].tally.correct);
            (of_pairs[p].followed ? work_.finished : work_.masked) += 1;
        }
        work_.pairs += pairs.size();
        for (std::size_t k = 0; k < strikes; ++k)
        {
            if (outcomes[k].tally.evaluated == 0) continue;
            outcomes[k].drop =
                static_cast<double>(lost[k]) / static_cast<double>(outcomes[k].tally.evaluated);
        }
        return outcomes;
    }

    Network network_;
    const ImageSet& images_;
    int threads_;
    std::vector<StruckLayer> layers_;  ///< by layer id
    std::unique_ptr<StrikeBackend> backend_;
    std::vector<float> logits_;  ///< golden, [images, classes]
    Golden golden_;
    WorkCount work_;
};

TransientEvaluator::TransientEvaluator(const Network& network, const ImageSet& images,
                                       const EvaluationOptions& options)
    : implementation_(std::make_unique<Implementation>(network, images, options))
{}

TransientEvaluator::~TransientEvaluator() = default;

const Golden& TransientEvaluator::golden() const
{
    return implementation_->golden();
}

std::optional<std::vector<TransientOutcome>> TransientEvaluator::evaluate(
    LayerId layer, const std::vector<TransientStrike>& strikes, const std::function<bool()>& should_stop)
{
    return implementation_->evaluate(layer, strikes, should_stop);
}

WorkCount TransientEvaluator::work() const
{
    return implementation_->work();
}

}  // namespace flipstorm
