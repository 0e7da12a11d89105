#pragma once
// In which number formats a network lies in memory: of each parameter, and of the values between its layers.
// Pure functions, thread-safe.

#include <map>
#include <string>
#include <vector>

#include "engine/network/network.hpp"

namespace flipstorm
{

/// What a user asks for.
struct FormatChoice
{
    NumberFormat format = NumberFormat::fp32;
    std::map<std::string, NumberFormat> of_layer;  ///< by name, of those that have another one
    int integer_bits = 1;  ///< of fixed-point parameters: digits before the point, the sign one of them
    bool scale_per_channel = true;  ///< int8: each output channel has a scale of its own, else the tensor one

    [[nodiscard]] NumberFormat layer_format(const std::string& layer) const;

    /// Whether networks of this choice compute in whole numbers.
    [[nodiscard]] bool in_integers() const { return format_traits(format).whole_numbers; }
};

/// \throws JobError for a layer that the graph does not have, formats that cannot stand beside each other, a
/// format that no layer is left in, and integer bits that a word does not have.
void check_choice(const FormatChoice& choice, const Graph& graph);

/**
 * How the parameters of a node are stored.
 *
 * Weights of convolutions and linear layers are in the layer's format. So are biases in fixed point, fp16 and
 * bf16; those of fp8 stay fp32, those of int8 are int32, in the scale of the layer's sums, which take them as
 * they are. Parameters of batch norms stay fp32: what a network of whole numbers computes with is the integer
 * scale and shift that follow from them.
 *
 * \param suffix  of the state-dict name: ".weight"
 */
[[nodiscard]] NumberFormat parameter_format(const FormatChoice& choice, const Node& node,
                                            const std::string& suffix);

/// Scales of the weights of a layer: none, 2^(integer bits − bits), or max |w| / 127 of the tensor or of each
/// output channel (1 where all are 0). \param values  row-major, [outputs, …]
[[nodiscard]] std::vector<float> weight_scales(const FormatChoice& choice, NumberFormat format,
                                               const std::vector<float>& values, std::int64_t outputs);

/**
 * Bits of the whole numbers that each node's value is, by node.
 *
 * The input has those of the network's format, a convolution or linear layer those of its own; any other
 * value the most of its inputs. A value with a scale of its own that is the network's output has twice as
 * many, at most 24, all of which a float holds: logits should not tie.
 */
[[nodiscard]] std::vector<std::int32_t> activation_bits(const FormatChoice& choice, const Graph& graph);

/// The scale of whole numbers that hold magnitudes up to `range`: range / (2^(bits − 1) − 1), and in fixed
/// point the next power of two. \param range  0: nothing was seen, any scale
[[nodiscard]] float activation_scale(float range, std::int32_t bits, bool power_of_two);

/// Whether all that read a node are ReLUs: of its value, only the positive part has to fit into its range.
[[nodiscard]] std::vector<bool> read_by_relus_alone(const Graph& graph);

/**
 * A network of floats as it lies in memory in other formats.
 *
 * \param ranges  largest magnitude of each node's value, by node; used where networks compute in integers
 * \throws JobError as check_choice
 */
[[nodiscard]] Network stored_as(const Network& network, const FormatChoice& choice,
                                const std::vector<float>& ranges);

/// By node, from ranges of the values as stored_as() takes them: those without a scale of their own have that
/// of their first input.
[[nodiscard]] std::vector<StoredActivation> stored_activations(const FormatChoice& choice, const Graph& graph,
                                                               const std::vector<float>& ranges);

}  // namespace flipstorm
