#include "engine/compute/torch/product.hpp"

namespace flipstorm
{

torch::Tensor weights_by_channel(const torch::Tensor& weight, std::int64_t groups)
{
    const std::int64_t inputs = weight.size(1);
    return weight.reshape({groups, weight.size(0) / groups, inputs, weight.size(2)})
        .permute({0, 2, 1, 3})
        .reshape({groups * inputs, weight.size(0) / groups, weight.size(2)})
        .contiguous();
}

std::int64_t product_floats(const ChangeFloats& floats, std::int64_t frame)
{
    // LibTorch may lay input and output out anew.
    if (!floats.one_channel) return floats.in + floats.out;
    const torch::Tensor& weight = floats.node.by_channel;
    const ValueForm& form = floats.input_form;
    return weight.size(1) * weight.size(2) + weight.size(2) * floats.output_pixels +
           (form.height + frame) * (form.width + frame) + floats.out;
}

}  // namespace flipstorm
