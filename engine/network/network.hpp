#pragma once
// A network: its graph and the values of its parameters, as plain arrays that any number of threads may read.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/ids.hpp"
#include "engine/data/dataset.hpp"
#include "engine/memory/stored_tensor.hpp"
#include "engine/memory/tensor_kind.hpp"
#include "engine/network/graph.hpp"

namespace flipstorm
{

/// One parameter tensor, row-major.
struct Parameter : StoredTensor
{
    Parameter() = default;
    /// Values, each stored in the format. \throws Error if there are more or fewer than the shape has
    Parameter(std::string of, Shape shape, SharedValues values,
              const FormatTraits& traits = format_traits(NumberFormat::fp32), SharedValues scales = {})
        : StoredTensor(std::move(shape), std::move(values), traits, std::move(scales)), name(std::move(of))
    {}
    Parameter(std::string of, StoredTensor tensor) : StoredTensor(std::move(tensor)), name(std::move(of)) {}

    std::string name;  ///< PyTorch state-dict name
};

/// How a node's value lies in memory: whole numbers of so many bits, in two's complement, times a scale.
struct StoredActivation
{
    float scale = 1;
    std::int32_t bits = 0;

    friend bool operator==(const StoredActivation& a, const StoredActivation& b)
    {
        return a.scale == b.scale && a.bits == b.bits;
    }
};

/// A network ready to be trained, injected or stored.
struct Network
{
    std::string arch;
    NumberFormat format = NumberFormat::fp32;  ///< that was asked for; each tensor says its own
    Graph graph;
    std::int32_t num_classes = 0;
    Normalisation normalisation;        ///< of the images it was trained on
    std::vector<Parameter> parameters;  ///< in the order of graph.parameters()
    /// By node, of a network that computes in whole numbers; empty: values are floats.
    std::vector<StoredActivation> activations{};

    [[nodiscard]] bool computes_in_integers() const { return !activations.empty(); }

    /// Parameter of that name. \throws Error if there is none.
    [[nodiscard]] const Parameter& parameter(const std::string& name) const;

    /// Values of a node's parameter with that suffix, ".weight". \throws Error if there is none.
    [[nodiscard]] const std::vector<float>& values(const Node& node, const char* suffix) const;
};

/// A tensor whose words can be hit: the weights of a convolution or linear layer, or another one, which then
/// counts as a layer of its own.
struct InjectableLayer
{
    LayerId id;
    NodeId node;
    std::string name;  ///< of the layer; of another tensor than its weights, the tensor's
    TensorKind kind = TensorKind::weights;
    std::string tensor;      ///< state-dict name; of scales, behind "scales/"
    std::size_t weight = 0;  ///< index of the tensor, or of that which is scaled, in Network::parameters
    std::uint64_t weights = 0;
    std::int32_t out_channels = 0;     ///< first dimension of the weight tensor
    std::int32_t in_channels = 0;      ///< second dimension of the weight tensor
    std::int32_t kernel_elements = 1;  ///< product of the others
    std::int32_t word_bits = 0;
    /// MACs, for one image, to compute one output channel of this layer again and carry its change to the
    /// logits: of the convolutions and linear layers behind, the share that reads a channel that can change.
    /// Batch norms, activations, pools and the like keep channels apart; a convolution mixes those of a
    /// group.
    std::int64_t suffix_macs = 0;
    NumberFormat format = NumberFormat::fp32;  ///< of its weights
};

/// Layers whose weights can be hit, in graph order, then other tensors, in that of the kinds; the position is
/// the layer id.
[[nodiscard]] std::vector<InjectableLayer> injectable_layers(const Network& network);
[[nodiscard]] std::vector<InjectableLayer> injectable_layers(const Network& network,
                                                             const std::vector<TensorKind>& kinds);

/// The words that can be hit: of a tensor, or of its scales as fp32.
[[nodiscard]] StoredTensor struck_tensor(const Network& network, const InjectableLayer& layer);

/// Put another word in place of one of them.
void set_struck_word(Network& network, const InjectableLayer& layer, std::uint64_t element,
                     std::uint32_t word);

/// A node with its parameters, which the network keeps. \param pixels  see WeightedNode
[[nodiscard]] WeightedNode weighted_node(const Network& network, const Node& node, std::int64_t pixels);

/// SHA-256 of arch, format, graph, classes, normalisation and all parameters as they are stored; of
/// activations where they are.
[[nodiscard]] std::string digest(const Network& network);

/**
 * Check that a network is whole: parameters as the graph asks, all finite, one logit per class, a
 * normalisation per channel.
 *
 * \throws DataError that names `where`, the parameter, and what would be right.
 */
void check_network(const Network& network, const std::string& where);

}  // namespace flipstorm
