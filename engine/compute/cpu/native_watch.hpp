#pragma once
// Which slots of a batch are huge, and where their sums may leave the finite numbers.

#include <cstddef>
#include <vector>

#include "engine/compute/backend.hpp"
#include "engine/compute/cpu/change_batch.hpp"
#include "engine/compute/cpu/native_golden.hpp"

namespace flipstorm
{

class NativeWatch
{
  public:
    /// All that it is given must outlive it.
    NativeWatch(const NativeLayer& layer, ChangeBatch& batch) : layer_(layer), batch_(batch) {}

    /// A slot more. \param delta  change of its weight
    void add(float delta);
    void clear();
    /// Close the gaps that slots leave.
    void keep(const std::vector<char>& stays);

    /// What is computed of the slot is not used.
    [[nodiscard]] bool overflows(std::size_t slot) const { return slots_[slot].overflows; }

    /// Find the slots whose sums may overflow in a step that is about to be computed, or cancel in a product.
    /// \param pairs  by slot
    void before(const NativeStep& step, const std::vector<Pair>& pairs, PairPolicy& policy);

    /// Find the slots that have become huge in a product.
    void after(const NativeStep& step);

    /// Keep the changes of huge slots from where they may have to be started anew.
    void remember_restart(const NativeStep& step);

  private:
    struct Slot
    {
        bool huge = false;       ///< its sums are watched
        bool overflows = false;  ///< or may
        std::vector<float>
            at_restart;  ///< of a huge one: its change at NativeProgram::restart, once it was there
    };

    [[nodiscard]] bool sum_may_overflow(const NativeStep& step, std::size_t slot);

    const NativeLayer& layer_;
    ChangeBatch& batch_;
    std::vector<Slot> slots_;
    bool any_huge_ = false;
};

}  // namespace flipstorm
