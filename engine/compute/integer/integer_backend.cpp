// Faults in weights of networks of whole numbers, image by image: on every image the golden values once for a
// group of faults, then one fault after another.

#include <algorithm>

#include "engine/compute/backend.hpp"
#include "engine/compute/integer/integer_pool.hpp"
#include "engine/network/graph.hpp"

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

/// What both ways to evaluate a fault share.
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
    IntegerBackend(const Network& network, IntegerNetwork lowered)
        : IntegerBackendBase<Word>(network, std::move(lowered))
    {
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            std::vector<NodeId>& nodes = behind_.emplace_back();
            const std::vector<bool> reached = network.graph.reachable_from(layer.node);
            for (std::size_t i = index(layer.node) + 1; i < reached.size(); ++i)
            {
                if (reached[i]) nodes.emplace_back(static_cast<std::int32_t>(i));
            }
        }
    }

    [[nodiscard]] std::size_t group_size() const override { return 1024; }

    double follow(const InjectableLayer& layer, const ChangeGroup& group, const DeviceImages& images,
                  const PreparedTile* /*prepared*/, PairPolicy& policy) const override
    {
        const auto& loaded = static_cast<const PlainImages&>(images);
        const std::vector<NodeId>& nodes = behind_[static_cast<std::size_t>(layer.id.value())];
        auto image = this->pool_.take();
        const double macs = image->macs();
        std::vector<LayerMeasure> measures(group.count);
        for (std::int64_t n = 0; n < loaded.count; ++n)
        {
            for (std::size_t f = 0; f < group.count; ++f)
            {
                measures[f] = {};
                measures[f].fault = f;
                measures[f].size = 1;
            }
            policy.at_layer(n, measures.data(), measures.size());
            image->load(loaded.image(n));
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
    std::vector<std::vector<NodeId>> behind_;  ///< by layer id: nodes that depend on it
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

template<template<class> class Kind>
std::unique_ptr<ComputeBackend> make(const Network& network)
{
    IntegerNetwork lowered = integer_network(network);
    return with_word(lowered.word_bits, [&](auto word) -> std::unique_ptr<ComputeBackend> {
        return std::make_unique<Kind<decltype(word)>>(network, std::move(lowered));
    });
}

}  // namespace

std::unique_ptr<ComputeBackend> make_integer_backend(const Network& network)
{
    return make<IntegerBackend>(network);
}

std::unique_ptr<ComputeBackend> make_integer_reference(const Network& network)
{
    return make<IntegerReference>(network);
}

}  // namespace flipstorm
