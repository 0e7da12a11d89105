// Faults in weights of networks of whole numbers, image by image: on every image the golden values once for a
// group of faults, then one fault after another.

#include "engine/compute/integer/integer_backend.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "engine/compute/cpu/kernels.hpp"
#include "engine/compute/integer/integer_pool.hpp"
#include "engine/network/layer_suffix.hpp"

namespace flipstorm
{
namespace
{

/// Normalised images in memory.
struct PlainImages : DeviceImages
{
    std::vector<float> pixels;  ///< [images][C][H][W]
    std::int64_t count = 0;

    [[nodiscard]] const float* image(std::int64_t n) const
    {
        return pixels.data() + static_cast<std::int64_t>(pixels.size()) / count * n;
    }
};

/// What all ways to evaluate a fault share.
template<class Word>
class IntegerBackendBase : public ComputeBackend
{
  public:
    IntegerBackendBase(const Network& network, IntegerNetwork lowered)
        : network_(network), model_(std::move(lowered)), pool_(model_)
    {}

    [[nodiscard]] std::uint64_t bytes() const override { return model_.bytes(); }

    [[nodiscard]] TileMemory memory(const InjectableLayer& /*layer*/, std::int64_t /*tile_images*/,
                                    PreparedFor /*wanted*/) const override
    {
        return {0, 0, IntegerImage<Word>::bytes(model_)};
    }

    [[nodiscard]] std::unique_ptr<DeviceImages> load(const ImageSet& images,
                                                     const std::vector<std::int64_t>& indices) const override
    {
        auto loaded = std::make_unique<PlainImages>();
        loaded->count = static_cast<std::int64_t>(indices.size());
        loaded->pixels.resize(
            static_cast<std::size_t>(elements(model_.graph().input_shape()) * loaded->count));
        normalise(images, indices, model_.network().normalisation, loaded->pixels.data());
        return loaded;
    }

    [[nodiscard]] std::unique_ptr<PreparedTile> prepare(const InjectableLayer& /*layer*/,
                                                        const DeviceImages& /*images*/,
                                                        PreparedFor /*wanted*/) const override
    {
        return nullptr;
    }

    double follow_as_reference(const InjectableLayer& /*layer*/, const ChangeGroup& /*group*/,
                               const DeviceImages& /*images*/, const PreparedTile* /*prepared*/,
                               const std::vector<OverflowingPair>& /*pairs*/,
                               PairPolicy& /*policy*/) const override
    {
        return 0;  // sums of whole numbers do not overflow
    }

  protected:
    [[nodiscard]] std::int32_t code(const InjectableLayer& layer, const WeightChange& change) const
    {
        return static_cast<std::int32_t>(whole_number(change.word, layer.word_bits));
    }

    Network network_;
    IntegerModel<Word> model_;
    mutable IntegerPool<Word> pool_;
};

template<class Word>
class IntegerBackend : public IntegerBackendBase<Word>
{
  public:
    IntegerBackend(const Network& network, IntegerNetwork lowered, GradientPass gradients)
        : IntegerBackendBase<Word>(network, std::move(lowered)), gradients_(std::move(gradients))
    {
        for (const InjectableLayer& layer : injectable_layers(network))
            behind_.push_back(nodes_behind(network.graph, layer.node));
    }

    [[nodiscard]] std::size_t group_size() const override { return 4096; }

    [[nodiscard]] TileMemory memory(const InjectableLayer& layer, std::int64_t tile_images,
                                    PreparedFor wanted) const override
    {
        TileMemory memory = IntegerBackendBase<Word>::memory(layer, tile_images, wanted);
        if (!wanted.gradients) return memory;
        const Graph& graph = this->model_.graph();
        const std::int64_t rivals = rivals_of(graph, layer.node);
        const std::int64_t held = rivals * elements(graph.node(layer.node).shape);
        // What automatic differentiation keeps of every node behind, rounding included, and gradients.
        std::int64_t passing = 2 * held;
        for (const NodeId id : behind_[static_cast<std::size_t>(layer.id.value())])
            passing += (3 + rivals) * elements(graph.node(id).shape);
        memory.prepared = static_cast<std::uint64_t>(held * tile_images) * sizeof(float);
        memory.preparing = static_cast<std::uint64_t>(passing * tile_images) * sizeof(float);
        return memory;
    }

    [[nodiscard]] std::unique_ptr<PreparedTile> prepare(const InjectableLayer& layer,
                                                        const DeviceImages& images,
                                                        PreparedFor wanted) const override
    {
        if (!wanted.gradients && !wanted.lengths) return nullptr;
        const auto& loaded = static_cast<const PlainImages&>(images);
        std::unique_ptr<IntegerTile> tile = wanted.gradients
                                                ? gradients_(layer.node, loaded.pixels, loaded.count)
                                                : std::make_unique<IntegerTile>();
        if (!wanted.lengths) return tile;
        // Those of the whole numbers, which are not quite those that gradients are taken of.
        const auto classes = static_cast<std::int64_t>(this->network_.num_classes);
        std::vector<float> logits;
        auto image = this->pool_.take();
        for (std::int64_t n = 0; n < loaded.count; ++n)
        {
            const std::vector<float>& of_image = image->pass(loaded.image(n));
            logits.insert(logits.end(), of_image.begin(), of_image.end());
        }
        this->pool_.give_back(std::move(image));
        tile->margins.certain = certain_margins(logits.data(), loaded.count, classes);
        return tile;
    }

    double follow(const InjectableLayer& layer, const ChangeGroup& group, const DeviceImages& images,
                  const PreparedTile* prepared, PairPolicy& policy) const override
    {
        const auto& loaded = static_cast<const PlainImages&>(images);
        const std::vector<NodeId>& nodes = behind_[static_cast<std::size_t>(layer.id.value())];
        auto image = this->pool_.take();
        const double macs = image->macs();
        std::vector<LayerMeasure> measures(group.count);
        const bool conv = std::holds_alternative<Conv2dOp>(this->model_.graph().node(layer.node).operation);
        std::vector<NeuronChange> neurons;
        for (std::size_t f = 0; f < group.count && !conv; ++f)
        {
            const auto weight = static_cast<std::int64_t>(group.changes[f].parameter);
            neurons.push_back(
                {image->neuron_weight(layer.node, weight), this->code(layer, group.changes[f])});
        }
        const IntegerTile* const tile =
            policy.screens() ? static_cast<const IntegerTile*>(prepared) : nullptr;
        for (std::int64_t n = 0; n < loaded.count; ++n)
        {
            image->load(loaded.image(n));
            if (conv)
                measure_channels(layer, group, *image, n, tile, policy, measures);
            else
                measure_neurons(layer, neurons, *image, n, tile, policy, measures);
            policy.at_layer(n, measures.data(), measures.size());
            for (const LayerMeasure& measure : measures)
            {
                if (!measure.follows) continue;
                const WeightChange& change = group.changes[measure.fault];
                const float* const logits =
                    image->follow_weight(layer.node, nodes, static_cast<std::int64_t>(change.parameter),
                                         this->code(layer, change));
                if (logits == nullptr)
                    policy.masked({measure.fault, n, measure.screened});
                else
                    policy.at_logits({measure.fault, n, measure.screened}, logits);
            }
        }
        const double done = image->macs() - macs;
        this->pool_.give_back(std::move(image));
        return done;
    }

  private:
    using Moves = std::array<float, kNeuronRivals>;

    /// A weight of a linear layer that has another code.
    struct NeuronChange
    {
        NeuronWeight weight;
        std::int32_t code = 0;
    };

    /// What is known of the changes of a convolution's weights. \param tile  null: nothing is screened
    void measure_channels(const InjectableLayer& layer, const ChangeGroup& group, IntegerImage<Word>& image,
                          std::int64_t n, const IntegerTile* tile, const PairPolicy& policy,
                          std::vector<LayerMeasure>& measures) const
    {
        OfWeight of_weight;
        for (std::size_t f = 0; f < group.count; ++f)
        {
            const WeightChange& change = group.changes[f];
            LayerMeasure& measure = measures[f];
            measure = LayerMeasure{f, 1};
            if (tile == nullptr) continue;
            const auto weight = static_cast<std::int64_t>(change.parameter);
            if (of_weight.weight != weight) of_weight = weigh(layer, image, *tile, n, weight);
            measure.masked = of_weight.dead;
            if (of_weight.dead) continue;
            if (is_small_channel(layer, *tile, n, of_weight, this->code(layer, change), policy))
                measure.small = std::numeric_limits<float>::infinity();
        }
    }

    /// The same of a linear layer's.
    void measure_neurons(const InjectableLayer& layer, const std::vector<NeuronChange>& changes,
                         const IntegerImage<Word>& image, std::int64_t n, const IntegerTile* tile,
                         const PairPolicy& policy, std::vector<LayerMeasure>& measures) const
    {
        const float scale = this->network_.activations[index(layer.node)].scale;
        const bool proves = policy.proves();
        for (std::size_t f = 0; f < changes.size(); ++f)
        {
            LayerMeasure& measure = measures[f];
            measure = LayerMeasure{f, 0};
            const std::int64_t move = image.neuron_move(layer.node, changes[f].weight, changes[f].code);
            measure.masked = move == 0;
            if (move == 0) continue;
            const float by = static_cast<float>(move) * scale;
            measure.size = std::fabs(by);
            if (proves) measure.proven = policy.harmless_length(n, changes[f].weight.neuron);
            if (tile != nullptr && is_small_neuron(layer, *tile, n, changes[f].weight.neuron, by, policy))
                measure.small = std::numeric_limits<float>::infinity();
        }
    }

    /// A weight of a convolution on an image.
    struct OfWeight
    {
        std::int64_t weight = -1;
        std::int64_t channel = 0;
        bool dead = false;  ///< it meets zeros alone
        float largest = 0;  ///< code that it meets
        Moves moves{};      ///< of the margins for a change of the weight by one code, in units of the sums
    };

    [[nodiscard]] OfWeight weigh(const InjectableLayer& layer, IntegerImage<Word>& image,
                                 const IntegerTile& tile, std::int64_t n, std::int64_t weight) const
    {
        OfWeight of;
        of.weight = weight;
        of.channel = weight / (static_cast<std::int64_t>(layer.weights) / layer.out_channels);
        thread_local std::vector<float> map;
        map.resize(static_cast<std::size_t>(padded(tile.pixels)));
        std::fill(map.begin() + tile.pixels, map.end(), 0.0F);
        of.largest = image.met_by(layer.node, weight, map.data());
        of.dead = of.largest == 0;
        if (of.dead) return of;
        kernels_.dots(map.data(), tile.gradient(n, 0, of.channel), tile.channels * tile.pixels, tile.rivals,
                      tile.pixels, of.moves.data());
        return of;
    }

    /// Whether to first order no margin moves past zero, and no output far. Rounding moves each output by
    /// half a code more or less, independently: by so many times the length of the gradient.
    [[nodiscard]] bool is_small_channel(const InjectableLayer& layer, const IntegerTile& tile, std::int64_t n,
                                        const OfWeight& of, std::int32_t code, const PairPolicy& policy) const
    {
        const IntegerNode& node = this->model_.network().node(layer.node);
        const double scale = this->sum_scale(layer, of.channel);
        const auto own = static_cast<double>(this->network_.activations[index(layer.node)].scale);
        const double by =
            std::abs(static_cast<double>(code) - node.weights[static_cast<std::size_t>(of.weight)]) * scale;
        const double far = by * static_cast<double>(of.largest) + own / 2;
        const auto spread =
            static_cast<double>(policy.spread(layer.node)[static_cast<std::size_t>(of.channel)]);
        if (!(far < static_cast<double>(policy.tau(n)) * spread)) return false;
        Moves moves{};
        for (std::int64_t k = 0; k < tile.rivals; ++k)
        {
            const auto r = static_cast<std::size_t>(k);
            moves[r] = static_cast<float>(by * std::abs(static_cast<double>(of.moves[r])) +
                                          own / 2 * static_cast<double>(tile.length(n, k, of.channel)) +
                                          static_cast<double>(tile.rounding(n, k)));
        }
        return policy.harmless(n, moves.data());
    }

    /// The same of a neuron, whose move is known.
    [[nodiscard]] bool is_small_neuron(const InjectableLayer& layer, const IntegerTile& tile, std::int64_t n,
                                       std::int64_t neuron, float by, const PairPolicy& policy) const
    {
        const float spread = policy.spread(layer.node)[static_cast<std::size_t>(neuron)];
        if (!(std::fabs(by) < policy.tau(n) * spread)) return false;
        Moves moves{};
        for (std::int64_t k = 0; k < tile.rivals; ++k)
        {
            moves[static_cast<std::size_t>(k)] =
                std::fabs(by * *tile.gradient(n, k, neuron)) + tile.rounding(n, k);
        }
        return policy.harmless(n, moves.data());
    }

    /// Of the sums of an output channel.
    [[nodiscard]] double sum_scale(const InjectableLayer& layer, std::int64_t channel) const
    {
        const SharedValues& scales = this->network_.parameters[layer.weight].scales();
        const NodeId input = this->network_.graph.node(layer.node).inputs[0];
        return static_cast<double>(scales[scales.size() == 1 ? 0 : static_cast<std::size_t>(channel)]) *
               static_cast<double>(this->network_.activations[index(input)].scale);
    }

    GradientPass gradients_;
    const Kernels& kernels_ = native_kernels();
    std::vector<std::vector<NodeId>> behind_;  ///< by layer id: nodes that depend on it
};

/// Faults in other tensors than weights: the node is computed anew with what follows from the changed word.
template<class Word>
class IntegerParameters : public IntegerBackendBase<Word>
{
  public:
    IntegerParameters(const Network& network, IntegerNetwork lowered, bool full)
        : IntegerBackendBase<Word>(network, std::move(lowered)), full_(full)
    {}

    [[nodiscard]] std::size_t group_size() const override { return full_ ? 1 : 64; }

    double follow(const InjectableLayer& layer, const ChangeGroup& group, const DeviceImages& images,
                  const PreparedTile* /*prepared*/, PairPolicy& policy) const override
    {
        const auto& loaded = static_cast<const PlainImages&>(images);
        const std::vector<NodeId> nodes = nodes_behind(this->network_.graph, layer.node);
        std::vector<IntegerLayer<Word>> others;
        std::vector<LayerMeasure> measures(group.count);
        for (std::size_t f = 0; f < group.count; ++f)
        {
            Network faulty = this->network_;
            set_struck_word(faulty, layer, group.changes[f].parameter, group.changes[f].word);
            IntegerNode node = integer_node(faulty, layer.node);
            node.weights.clear();  // they are the golden ones
            others.push_back(this->model_.laid_out(layer.node, std::move(node)));
        }
        auto image = this->pool_.take();
        const double macs = image->macs();
        for (std::int64_t n = 0; n < loaded.count; ++n)
        {
            if (!full_) image->load(loaded.image(n));
            for (std::size_t f = 0; f < group.count; ++f)
                measures[f] = LayerMeasure{f, 1};
            policy.at_layer(n, measures.data(), measures.size());
            for (std::size_t f = 0; f < group.count; ++f)
            {
                const float* const logits =
                    full_ ? image->full_pass(loaded.image(n), layer.node, others[f]).data()
                          : image->follow_parameters(layer.node, nodes, others[f]);
                if (logits == nullptr)
                    policy.masked({f, n, false});
                else
                    policy.at_logits({f, n, false}, logits);
            }
        }
        const double done = image->macs() - macs;
        this->pool_.give_back(std::move(image));
        return done;
    }

  private:
    bool full_;  ///< no change is followed
};

/// Mode `reference`.
template<class Word>
class IntegerReference : public IntegerBackendBase<Word>
{
  public:
    using IntegerBackendBase<Word>::IntegerBackendBase;

    [[nodiscard]] std::size_t group_size() const override { return 1; }

    double follow(const InjectableLayer& layer, const ChangeGroup& group, const DeviceImages& images,
                  const PreparedTile* /*prepared*/, PairPolicy& policy) const override
    {
        const auto& loaded = static_cast<const PlainImages&>(images);
        auto image = this->pool_.take();
        double macs = 0;
        for (std::size_t f = 0; f < group.count; ++f)
        {
            const WeightChange& change = group.changes[f];
            IntegerNode node = this->model_.network().node(layer.node);
            node.weights[change.parameter] = this->code(layer, change);
            const IntegerLayer<Word> faulty = this->model_.laid_out(layer.node, std::move(node));
            for (std::int64_t n = 0; n < loaded.count; ++n)
                policy.at_logits({f, n, false}, image->full_pass(loaded.image(n), layer.node, faulty).data());
        }
        for (std::size_t i = 0; i < this->model_.graph().nodes().size(); ++i)
            macs += static_cast<double>(this->model_.graph().macs(NodeId(static_cast<std::int32_t>(i))));
        this->pool_.give_back(std::move(image));
        return macs * static_cast<double>(group.count) * static_cast<double>(loaded.count);
    }
};

}  // namespace

std::unique_ptr<ComputeBackend> make_integer_backend(const Network& network, GradientPass gradients)
{
    IntegerNetwork lowered = integer_network(network);
    return with_word(lowered.word_bits, [&](auto word) -> std::unique_ptr<ComputeBackend> {
        return std::make_unique<IntegerBackend<decltype(word)>>(network, std::move(lowered),
                                                                std::move(gradients));
    });
}

std::unique_ptr<ComputeBackend> make_integer_parameters(const Network& network, bool full)
{
    IntegerNetwork lowered = integer_network(network);
    return with_word(lowered.word_bits, [&](auto word) -> std::unique_ptr<ComputeBackend> {
        return std::make_unique<IntegerParameters<decltype(word)>>(network, std::move(lowered), full);
    });
}

std::unique_ptr<ComputeBackend> make_integer_reference(const Network& network)
{
    IntegerNetwork lowered = integer_network(network);
    return with_word(lowered.word_bits, [&](auto word) -> std::unique_ptr<ComputeBackend> {
        return std::make_unique<IntegerReference<decltype(word)>>(network, std::move(lowered));
    });
}

}  // namespace flipstorm
