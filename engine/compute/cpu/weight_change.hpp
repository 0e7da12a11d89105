#pragma once
// What a change of one weight of a convolution makes of its output.

#include <vector>

#include "engine/compute/cpu/native_network.hpp"

namespace flipstorm
{

/**
 * What a weight is multiplied by, output by output; zero where that lies in the padding.
 *
 * \param in       golden input, [C][pixels], with kLanes readable floats behind
 * \param output   channel that the weight belongs to \param element  which weight of that channel's filter
 * \param map      resized to the output's map, and a vector more
 */
void shifted_input(const Conv2dOp& op, const PaddedForm& in_form, const PaddedForm& out_form, const float* in,
                   std::int64_t output, std::int64_t element, std::vector<float>& map);

}  // namespace flipstorm
