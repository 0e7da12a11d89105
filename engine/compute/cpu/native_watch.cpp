#include "engine/compute/cpu/native_watch.hpp"

#include <algorithm>
#include <utility>

namespace flipstorm
{
namespace
{

/// Whether both factors of a product change.
bool both_change(const NativeStep& step)
{
    return step.product && step.inputs.size() > 1;
}

}  // namespace

void NativeWatch::add(float delta)
{
    Slot slot;
    slot.huge = is_huge(delta);
    any_huge_ = any_huge_ || slot.huge;
    slots_.push_back(std::move(slot));
}

void NativeWatch::clear()
{
    slots_.clear();
    any_huge_ = false;
}

void NativeWatch::keep(const std::vector<char>& stays)
{
    std::size_t to = 0;
    for (std::size_t s = 0; s < slots_.size(); ++s)
    {
        if (stays[s] == 0) continue;
        if (to != s) slots_[to] = std::move(slots_[s]);
        ++to;
    }
    slots_.resize(to);
}

void NativeWatch::before(const NativeStep& step, const std::vector<Pair>& pairs, PairPolicy& policy)
{
    if (!any_huge_ && !both_change(step)) return;
    for (std::size_t s = 0; s < slots_.size(); ++s)
    {
        Slot& slot = slots_[s];
        if (!(slot.huge || both_change(step)) || slot.overflows || !sum_may_overflow(step, s)) continue;
        slot.overflows = true;
        const NodeId restart = layer_.program.restart;
        policy.may_overflow({pairs[s], batch_.channel_at(restart, s), std::move(slot.at_restart)});
    }
}

bool NativeWatch::sum_may_overflow(const NativeStep& step, std::size_t slot)
{
    double farthest = 0;
    for (const ChangedInput& input : step.inputs)
    {
        const PaddedForm& form = batch_.form(input.node);
        const bool whole = input.extent == Extent::everything;
        const float size =
            layer_.kernels.largest(batch_.at(input.buffer, slot), whole ? form.slot() : form.pixels());
        if (both_change(step) && size > kLargestFactor) return true;
        if (!slots_[slot].huge) continue;
        const double bound = whole
                                 ? layer_.overflow.of_whole(step.node)
                                 : layer_.overflow.of_channel(step.node, batch_.channel_at(input.node, slot));
        farthest = std::max(farthest, static_cast<double>(size) * bound);
    }
    return !(farthest < static_cast<double>(kSafeMagnitude));
}

void NativeWatch::after(const NativeStep& step)
{
    if (!step.product) return;
    const PaddedForm& form = batch_.form(step.node);
    const std::int64_t floats = step.extent == Extent::everything ? form.slot() : form.pixels();
    for (std::size_t s = 0; s < slots_.size(); ++s)
    {
        slots_[s].huge = slots_[s].huge || is_huge(layer_.kernels.largest(batch_.at(step.buffer, s), floats));
        any_huge_ = any_huge_ || slots_[s].huge;
    }
}

void NativeWatch::remember_restart(const NativeStep& step)
{
    if (!any_huge_ || step.node != layer_.program.restart) return;
    for (std::size_t s = 0; s < slots_.size(); ++s)
    {
        if (!slots_[s].huge) continue;
        const float* const change = batch_.at(step.buffer, s);
        slots_[s].at_restart.assign(change, change + batch_.form(step.node).pixels());
    }
}

}  // namespace flipstorm
