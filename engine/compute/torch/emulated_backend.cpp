// Faults in parameters of networks of whole numbers on LibTorch: the node is computed anew, and what lies
// behind it for the images whose value there has changed.

#include "engine/compute/backend.hpp"
#include "engine/compute/torch/integer_emulation.hpp"
#include "engine/compute/torch/loaded_images.hpp"
#include "engine/network/layer_suffix.hpp"

namespace flipstorm
{
namespace
{

class EmulatedBackend : public ComputeBackend
{
  public:
    EmulatedBackend(const Network& network, torch::Device device, bool full)
        : network_(network), emulation_(network, device), full_(full)
    {}

    [[nodiscard]] std::size_t group_size() const override { return full_ ? 1 : 256; }
    [[nodiscard]] std::uint64_t bytes() const override { return emulation_.bytes(); }

    [[nodiscard]] TileMemory memory(const InjectableLayer& /*layer*/, std::int64_t tile_images,
                                    PreparedFor /*wanted*/) const override
    {
        // Golden values, and those behind a fault.
        return {0, 0, 2 * emulation_.image_bytes() * static_cast<std::uint64_t>(tile_images)};
    }

    [[nodiscard]] std::unique_ptr<DeviceImages> load(const ImageSet& images,
                                                     const std::vector<std::int64_t>& indices) const override
    {
        return std::make_unique<LoadedImages>(images, indices, network_.normalisation, emulation_.device());
    }

    [[nodiscard]] std::unique_ptr<PreparedTile> prepare(const InjectableLayer& /*layer*/,
                                                        const DeviceImages& /*images*/,
                                                        PreparedFor /*wanted*/) const override
    {
        return nullptr;
    }

    double follow(const InjectableLayer& layer, const ChangeGroup& group, const DeviceImages& images,
                  const PreparedTile* /*prepared*/, PairPolicy& policy) const override
    {
        const c10::InferenceMode no_gradients;
        const torch::Tensor& loaded = values_of(images);
        return full_ ? follow_from_the_input(layer, group, loaded, policy)
                     : follow_from_the_layer(layer, group, loaded, policy);
    }

    double follow_as_reference(const InjectableLayer& /*layer*/, const ChangeGroup& /*group*/,
                               const DeviceImages& /*images*/, const PreparedTile* /*prepared*/,
                               const std::vector<OverflowingPair>& /*pairs*/,
                               PairPolicy& /*policy*/) const override
    {
        return 0;  // sums of whole numbers do not overflow
    }

  private:
    /// The struck node with a change.
    [[nodiscard]] EmulatedNode faulty(const InjectableLayer& layer, const WeightChange& change) const
    {
        EmulatedNode node = emulation_.node(layer.node);
        if (layer.kind == TensorKind::weights)
        {
            node.weights = node.weights.clone();
            node.weights.view(-1)[static_cast<std::int64_t>(change.parameter)] =
                static_cast<double>(whole_number(change.word, layer.word_bits));
            return node;
        }
        Network changed = network_;
        set_struck_word(changed, layer, change.parameter, change.word);
        return emulation_.emulated(layer.node, integer_node(changed, layer.node), node.weights);
    }

    double follow_from_the_input(const InjectableLayer& layer, const ChangeGroup& group,
                                 const torch::Tensor& images, PairPolicy& policy) const
    {
        for (std::size_t f = 0; f < group.count; ++f)
        {
            const EmulatedNode other = faulty(layer, group.changes[f]);
            const torch::Tensor logits =
                emulation_.logits(emulation_.values(images, layer.node, &other).back());
            for (std::int64_t n = 0; n < images.size(0); ++n)
                policy.at_logits({f, n, false}, logits.data_ptr<float>() + n * logits.size(1));
        }
        return macs(nodes_from(network_.graph, NodeId(0)),
                    group.count * static_cast<std::size_t>(images.size(0)));
    }

    double follow_from_the_layer(const InjectableLayer& layer, const ChangeGroup& group,
                                 const torch::Tensor& images, PairPolicy& policy) const
    {
        const std::vector<NodeId> nodes = nodes_behind(network_.graph, layer.node);
        const std::vector<torch::Tensor> golden = emulation_.values(images);
        const torch::Tensor golden_logits = emulation_.logits(golden.back());
        const std::int64_t classes = golden_logits.size(1);
        double done = 0;
        for (std::size_t f = 0; f < group.count; ++f)
        {
            const torch::Tensor value =
                emulation_.compute(layer.node, golden, faulty(layer, group.changes[f]));
            const torch::Tensor differ =
                (value != golden[index(layer.node)]).flatten(1).any(1).to(torch::kCPU).contiguous();
            std::vector<std::int64_t> followed;
            for (std::int64_t n = 0; n < images.size(0); ++n)
            {
                LayerMeasure measure{f, 1};
                measure.masked = !differ.data_ptr<bool>()[n];
                policy.at_layer(n, &measure, 1);
                if (measure.follows) followed.push_back(n);
            }
            done +=
                macs({layer.node}, static_cast<std::size_t>(images.size(0))) + macs(nodes, followed.size());
            if (followed.empty()) continue;
            const torch::Tensor rows = torch::tensor(followed, torch::kInt64).to(emulation_.device());
            std::vector<torch::Tensor> values(golden.size());
            for (const NodeId id : nodes)
            {
                for (const NodeId input : network_.graph.node(id).inputs)
                {
                    torch::Tensor& of_input = values[index(input)];
                    if (of_input.defined()) continue;
                    of_input = (input == layer.node ? value : golden[index(input)]).index_select(0, rows);
                }
            }
            if (nodes.empty()) values.back() = value.index_select(0, rows);
            const torch::Tensor logits = emulation_.resume(values, nodes);
            for (std::size_t k = 0; k < followed.size(); ++k)
            {
                const float* const of_pair =
                    logits.data_ptr<float>() + static_cast<std::int64_t>(k) * classes;
                const float* const of_image = golden_logits.data_ptr<float>() + followed[k] * classes;
                if (std::equal(of_pair, of_pair + classes, of_image))
                    policy.masked({f, followed[k], false});
                else
                    policy.at_logits({f, followed[k], false}, of_pair);
            }
        }
        return done;
    }

    [[nodiscard]] double macs(const std::vector<NodeId>& nodes, std::size_t images) const
    {
        double of_image = 0;
        for (const NodeId id : nodes)
            of_image += static_cast<double>(network_.graph.macs(id));
        return of_image * static_cast<double>(images);
    }

    Network network_;
    IntegerEmulation emulation_;
    bool full_;  ///< no change is followed
};

}  // namespace

std::unique_ptr<ComputeBackend> make_emulated_backend(const Network& network, Device device, bool full)
{
    return std::make_unique<EmulatedBackend>(network, torch_device(device), full);
}

}  // namespace flipstorm
