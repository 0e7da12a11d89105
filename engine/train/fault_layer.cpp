#include "engine/train/fault_layer.hpp"

#include <algorithm>
#include <utility>

namespace flipstorm
{
namespace
{

/// A fault on one rank's part of a batch, as tensors.
class LocalFault
{
  public:
    LocalFault(const torch::Tensor& value, const TrainingFault& fault, std::int64_t first)
        : region_(fault.region)
    {
        const std::int64_t images = value.size(0);
        const std::int64_t channels = value.size(1);
        torch::Tensor factor = torch::ones({images, channels, 1, 1});
        torch::Tensor shift = torch::zeros({images, channels, 1, 1});
        for (const std::int64_t image : fault.images)
        {
            if (image < first || image >= first + images) continue;
            for (const std::int64_t channel : region_.channels)
            {
                const std::int64_t at = (image - first) * channels + channel;
                factor.data_ptr<float>()[at] = static_cast<float>(fault.factor);
                shift.data_ptr<float>()[at] = static_cast<float>(fault.shift);
            }
        }
        if (fault.factor != 1) factor_ = factor.to(value.device());
        if (fault.shift != 0) shift_ = shift.to(value.device());
        if (!region_.positions.empty())
            positions_ = torch::tensor(region_.positions, torch::kLong).to(value.device());
    }

    [[nodiscard]] bool scales() const { return factor_.defined(); }

    /// Multiply and, unless it is a gradient, add, in place.
    void change(const torch::Tensor& value, bool is_gradient) const
    {
        const std::int64_t images = value.size(0);
        const std::int64_t channels = value.size(1);
        if (positions_.defined())
        {
            const torch::Tensor flat = value.view({images, channels, -1, 1});
            const torch::Tensor struck = flat.index_select(2, positions_);
            change_all(struck, is_gradient);
            flat.index_copy_(2, positions_, struck);
            return;
        }
        const torch::Tensor map = value.dim() == 4 ? value : value.view({images, channels, 1, 1});
        change_all(map.slice(2, region_.row_begin, region_.row_end)
                       .slice(3, region_.column_begin, region_.column_end),
                   is_gradient);
    }

  private:
    void change_all(const torch::Tensor& struck, bool is_gradient) const
    {
        if (factor_.defined()) struck.mul_(factor_);
        if (shift_.defined() && !is_gradient) struck.add_(shift_);
    }

    FaultRegion region_;
    torch::Tensor factor_;     ///< [images, C, 1, 1], 1 where nothing is struck; undefined if 1 throughout
    torch::Tensor shift_;      ///< [images, C, 1, 1], 0 where nothing is struck; undefined if 0 throughout
    torch::Tensor positions_;  ///< of scattered elements; else undefined
};

}  // namespace

void apply_fault(const torch::Tensor& value, const TrainingFault& fault, std::int64_t first)
{
    if (value.size(0) == 0) return;
    LocalFault local(value, fault, first);
    local.change(value.detach(), false);
    if (!local.scales() || !value.requires_grad()) return;
    value.register_hook([local = std::move(local)](const torch::Tensor& gradient) {
        const torch::Tensor scaled = gradient.clone(at::MemoryFormat::Contiguous);
        local.change(scaled, true);
        return scaled;
    });
}

}  // namespace flipstorm
