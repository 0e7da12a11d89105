#include "engine/evaluate/native_screen.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/evaluate/golden_pass.hpp"

namespace flipstorm
{

NativeScreen::NativeScreen(const NativeEvaluator& evaluator, const InjectableLayer& layer,
                           const Screen* screen, const Tile& tile, const NativeTile& golden)
    : evaluator_(evaluator),
      layer_(layer),
      screen_(screen != nullptr && std::isfinite(screen->kappa) && golden.rivals > 0 ? screen : nullptr),
      tile_(tile),
      golden_(golden)
{
    if (screen_ != nullptr) kappa_ = static_cast<float>(screen_->kappa);
}

/// How many standard deviations a change may have on an image: in proportion to the image's margin.
float NativeScreen::tau(std::int64_t image) const
{
    return static_cast<float>(screen_->tau) * tile_.certainty[static_cast<std::size_t>(image)];
}

/// Whether first-order moves of the margins at the checkpoint, [rivals], are harmless.
bool NativeScreen::harmless(const float* moves) const
{
    const float* margin = golden_.margins.data() + image_ * golden_.rivals;
    float most = 0;
    for (std::int64_t k = 0; k < golden_.rivals; ++k)
    {
        const float move = kappa_ * std::fabs(moves[k]);
        if (!(move < margin[k])) return false;
        most = std::max(most, move);
    }
    return kOtherRivals * most < golden_.rest[static_cast<std::size_t>(image_)];
}

float NativeScreen::limit(std::int64_t image, std::int64_t channel, const float* map, float largest) const
{
    const PaddedForm& out = evaluator_.network().form(layer_.node);
    const float* gradient = golden_.gradient_maps[index(layer_.node)].data_ptr<float>() +
                            (image * golden_.rivals * out.channels + channel) * out.pixels();
    std::array<float, kNeuronRivals> moves{};
    evaluator_.kernels().dots(map, gradient, out.channels * out.pixels(), golden_.rivals, out.pixels(),
                              moves.data());
    const float* margin = golden_.margins.data() + image * golden_.rivals;
    float most = 0;
    float limit = tau(image) * evaluator_.spread(layer_.node)[static_cast<std::size_t>(channel)] / largest;
    for (std::int64_t k = 0; k < golden_.rivals; ++k)
    {
        const float move = kappa_ * std::fabs(moves[static_cast<std::size_t>(k)]);
        limit = std::min(limit, margin[k] / move);
        most = std::max(most, move);
    }
    return std::min(limit, golden_.rest[static_cast<std::size_t>(image)] / (kOtherRivals * most));
}

void NativeScreen::at_checkpoint(std::int64_t image, NodeId node, bool all)
{
    image_ = image;
    node_ = node;
    all_ = all;
    tau_ = tau(image);
    if (!all) return;
    const std::vector<float>& spread = evaluator_.spread(node);
    limit_.assign(static_cast<std::size_t>(padded(evaluator_.network().form(node).channels)),
                  std::numeric_limits<float>::infinity());
    for (std::size_t c = 0; c < spread.size(); ++c)
        limit_[c] = tau_ * spread[c];
}

bool NativeScreen::small(const float* change, std::int64_t channel) const
{
    const Kernels& kernels = evaluator_.kernels();
    const PaddedForm& form = evaluator_.network().form(node_);
    std::array<float, kNeuronRivals> moves{};
    if (all_)
    {
        if (!kernels.within(change, limit_.data(), form.pixels(), padded(form.channels))) return false;
        kernels.dots(
            change,
            golden_.gradient_slots[index(node_)].data_ptr<float>() + image_ * golden_.rivals * form.slot(),
            form.slot(), golden_.rivals, form.slot(), moves.data());
        return harmless(moves.data());
    }
    const float limit = tau_ * evaluator_.spread(node_)[static_cast<std::size_t>(channel)];
    if (!(kernels.largest(change, form.pixels()) < limit)) return false;
    kernels.dots(change,
                 golden_.gradient_maps[index(node_)].data_ptr<float>() +
                     (image_ * golden_.rivals * form.channels + channel) * form.pixels(),
                 form.channels * form.pixels(), golden_.rivals, form.pixels(), moves.data());
    return harmless(moves.data());
}

}  // namespace flipstorm
