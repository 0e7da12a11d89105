#pragma once
// A network of whole numbers as its operations compute it: codes of the weights, biases in the scale of the
// sums, and what rounds each value to its own scale. What is what stands in engine/METHODS.md.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/compute/integer/integer_arithmetic.hpp"
#include "engine/network/network.hpp"
#include "engine/network/value_form.hpp"

namespace flipstorm
{

/// What a node computes with, beside the fields of its operation.
struct IntegerNode
{
    CodeLimits limits;  ///< of its value
    std::int32_t bits = 0;
    std::int32_t dropped = 0;  ///< bits of each product of a convolution, linear layer or multiplication

    std::vector<std::int32_t> weights;  ///< codes of a convolution's or linear layer's weights, row-major
    std::vector<std::int64_t> bias;     ///< of each output channel, in the scale of the sums

    /// From sums, or each input's codes, to the scale of the value: of a product or a batch norm one of each
    /// channel, of a sum or a concatenation one of each input, else one. Empty where the value has the scale
    /// of its input.
    std::vector<Rescale> rescale;

    std::vector<std::int32_t> table;  ///< of sigmoid and SiLU: the value of each code, from the least on
    std::int64_t ceiling = 0;         ///< of ReLU6: the code of 6
};

/// A network of whole numbers; which fields of a node count, its operation says.
struct IntegerNetwork
{
    Graph graph;
    std::vector<ValueForm> forms;
    std::vector<IntegerNode> nodes;
    Normalisation normalisation;
    float input_scale = 1;
    float logit_scale = 1;
    std::int32_t word_bits = 8;  ///< that all values but the logits, and all weights, fit into: 8, 16 or 32

    [[nodiscard]] const IntegerNode& node(NodeId id) const { return nodes[index(id)]; }
};

/// Why a network of whole numbers cannot be evaluated; empty if it can.
[[nodiscard]] std::string integer_obstacle(const Network& network);

/// \throws JobError if integer_obstacle() says so. \pre network.computes_in_integers()
[[nodiscard]] IntegerNetwork integer_network(const Network& network);

/// Codes of a parameter: what its words are in two's complement. \pre its format is of whole numbers
[[nodiscard]] std::vector<std::int32_t> codes_of(const StoredTensor& tensor);

/// The node that is to be used where one word of a parameter of it has changed. \param network  changed
[[nodiscard]] IntegerNode integer_node(const Network& network, NodeId id);

}  // namespace flipstorm
