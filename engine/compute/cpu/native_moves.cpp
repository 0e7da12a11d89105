#include "engine/compute/cpu/native_moves.hpp"

#include <algorithm>
#include <limits>

namespace flipstorm
{

float NativeMoves::limit(std::int64_t image, std::int64_t channel, const float* map, float largest) const
{
    const NodeId node = layer_.layer.node;
    const PaddedForm& out = layer_.network.form(node);
    const float* gradient =
        golden_.gradient_maps[index(node)] + (image * golden_.rivals * out.channels + channel) * out.pixels();
    Moves moves{};
    layer_.kernels.dots(map, gradient, out.channels * out.pixels(), golden_.rivals, out.pixels(),
                        moves.data());
    const float spread = policy_.spread(node)[static_cast<std::size_t>(channel)];
    return std::min(policy_.tau(image) * spread / largest, policy_.reach(image, moves.data()));
}

void NativeMoves::at_checkpoint(std::int64_t image, NodeId node, bool all)
{
    image_ = image;
    node_ = node;
    all_ = all;
    tau_ = policy_.tau(image);
    if (!all) return;
    const std::vector<float>& spread = policy_.spread(node);
    limit_.assign(static_cast<std::size_t>(padded(layer_.network.form(node).channels)),
                  std::numeric_limits<float>::infinity());
    for (std::size_t c = 0; c < spread.size(); ++c)
        limit_[c] = tau_ * spread[c];
}

bool NativeMoves::small(const float* change, std::int64_t channel) const
{
    const Kernels& kernels = layer_.kernels;
    const PaddedForm& form = layer_.network.form(node_);
    Moves moves{};
    if (all_)
    {
        if (!kernels.within(change, limit_.data(), form.pixels(), padded(form.channels))) return false;
        kernels.dots(change, golden_.gradient_slots[index(node_)] + image_ * golden_.rivals * form.slot(),
                     form.slot(), golden_.rivals, form.slot(), moves.data());
        return policy_.harmless(image_, moves.data());
    }
    const float limit = tau_ * policy_.spread(node_)[static_cast<std::size_t>(channel)];
    if (!(kernels.largest(change, form.pixels()) < limit)) return false;
    kernels.dots(change,
                 golden_.gradient_maps[index(node_)] +
                     (image_ * golden_.rivals * form.channels + channel) * form.pixels(),
                 form.channels * form.pixels(), golden_.rivals, form.pixels(), moves.data());
    return policy_.harmless(image_, moves.data());
}

}  // namespace flipstorm
