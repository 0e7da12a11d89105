#pragma once
// Built-in architectures.

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/network/network.hpp"

namespace flipstorm
{

/// Activation function of all layers.
enum class Activation
{
    relu,
    relu6,  ///< bounds what a fault can grow to
};

/// Order of a convolution, its batch norm and its activation in a residual network.
enum class LayerOrder
{
    conv_norm_act,  ///< as in He et al., CVPR 2016
    conv_act_norm,  ///< the activation first, as in Cavagnero et al., IOLTS 2022
};

/// Shortcut of a residual block that changes shape; He et al., CVPR 2016, section 4.2.
enum class Shortcut
{
    option_a,    ///< every second row and column, zero channels before and behind: no parameters
    projection,  ///< 1×1 convolution and batch norm
};

/// First values of the weights of convolutions and linear layers.
enum class Initialisation
{
    pytorch,         ///< uniform on ±1/√fan_in, PyTorch's default
    kaiming_normal,  ///< normal with standard deviation √(2/fan_in); He et al., ICCV 2015
};

/// Choices of that name ("relu", "relu6"; "conv-norm-act", "conv-act-norm"; "option-a", "projection";
/// "default", "kaiming_normal"). \throws JobError naming the known ones.
Activation activation_from(std::string_view name);
LayerOrder layer_order_from(std::string_view name);
Shortcut shortcut_from(std::string_view name);
Initialisation initialisation_from(std::string_view name);

/// Variants of an architecture.
struct BuildOptions
{
    Activation activation = Activation::relu;
    LayerOrder order = LayerOrder::conv_norm_act;  ///< not used by lenet5
    Shortcut shortcut = Shortcut::option_a;        ///< not used by lenet5
    Initialisation initialisation = Initialisation::pytorch;
};

/**
 * A network of a built-in architecture with fresh parameters, in fp32.
 *
 * "lenet5": conv1 6@5×5 pad 2, max-pool 2, conv2 16@5×5, max-pool 2, fc1 120, fc2 84, fc3 classes, an
 * activation after all but the last; 61,706 parameters for 1×28×28 images and 10 classes. LeCun et al.,
 * 1998, in the form usual today.
 *
 * "resnet8", "resnet20", "resnet32", "resnet44", "resnet56": He et al., CVPR 2016, section 4.2: conv1 16@3×3,
 * layer1 to layer3 of 1, 3, 5, 7 or 9 basic blocks with 16, 32 and 64 channels, mean over all positions,
 * linear. "resnet18": the form of He et al.'s ImageNet network that is usual for CIFAR: conv1 64@3×3, layer1
 * to layer4 of 2 basic blocks with 64, 128, 256 and 512 channels, mean over all positions, linear. The first
 * block of layer2 and later has stride 2. Convolutions have no bias. Parameters are named as in the PyTorch
 * modules in use: conv1, bn1, layer1.0.conv1, layer1.0.bn1, layer1.0.conv2, layer1.0.bn2, …,
 * layer2.0.shortcut.0 (convolution) and layer2.0.shortcut.1 (batch norm) of a projection, linear.
 *
 * A basic block of input x computes, with a the activation,
 *
 *     conv_norm_act:  a(bn2(conv2(a(bn1(conv1(x))))) + shortcut(x)),  behind a stem a(bn1(conv1(image)))
 *     conv_act_norm:  bn2(a(conv2(bn1(a(conv1(x)))))) + shortcut(x),  behind a stem bn1(a(conv1(image)))
 *
 * In conv_act_norm every 3×3 convolution is followed at once by its activation, and nothing follows the sum.
 * The convolution of a projection has no activation in either.
 *
 * Parameters start as in PyTorch: weights (unless `initialisation` says otherwise) and biases uniform on
 * ±1/√fan_in, from a Philox stream per tensor; batch norms with weight 1, bias 0, running mean 0 and running
 * variance 1.
 *
 * \param input_shape  C, H, W
 * \throws JobError for an unknown architecture; DataError if the images do not fit it.
 */
Network build_network(const std::string& arch, const Shape& input_shape, std::int32_t num_classes,
                      const Normalisation& normalisation, std::uint64_t seed,
                      const BuildOptions& options = {});

}  // namespace flipstorm
