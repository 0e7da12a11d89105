#include <algorithm>

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{
namespace
{

/// One of the two inputs, golden value and change, as a step takes them.
struct Factor
{
    const float* golden = nullptr;
    const float* change = nullptr;  ///< null: none
    bool for_all_pixels = false;    ///< one pixel, read for all
    std::int64_t only = -1;         ///< the channel that `change` is, where it is a map and the step is not
    std::int64_t channels = 1;      ///< floats of a pixel

    [[nodiscard]] float golden_at(std::int64_t pixel, std::int64_t channel) const
    {
        return golden[(for_all_pixels ? 0 : pixel) * channels + channel];
    }
    [[nodiscard]] float change_at(std::int64_t pixel, std::int64_t channel) const
    {
        const std::int64_t p = for_all_pixels ? 0 : pixel;
        if (change == nullptr) return 0;
        if (only < 0) return change[p * channels + channel];
        return channel == only ? change[p] : 0;
    }
};

Factor factor(ChangeBatch& batch, const NativeStep& step, std::size_t position, std::size_t slot)
{
    const NodeId id = batch.network().graph.node(step.node).inputs[position];
    const bool all = step.extent == Extent::everything;
    Factor found;
    found.golden = all ? batch.golden_slot(id) : batch.golden_map(id, batch.channel_at(step.node, slot));
    found.channels = all ? padded(batch.form(id).channels) : 1;
    found.for_all_pixels = batch.form(id).pixels() == 1;
    for (const ChangedInput& input : step.inputs)
    {
        if (input.position != position) continue;
        found.change = batch.at(input.buffer, slot);
        if (all && input.extent == Extent::channel) found.only = batch.channel_at(id, slot);
    }
    return found;
}

}  // namespace

CpuTraits cpu_traits(const MulOp& /*op*/)
{
    CpuTraits traits;
    traits.reads_all_golden = true;
    return traits;
}

bool renames_on_cpu(const MulOp& /*op*/, const NativeStep& /*step*/)
{
    return false;
}

void prepare_on_cpu(const MulOp& /*op*/, const PrepareContext& /*context*/, NativeNode& /*node*/) {}

/// (a + da)(b + db) − ab = da (b + db) + a db
void change_on_cpu(const MulOp& /*op*/, ChangeBatch& batch, const NativeStep& step)
{
    const PaddedForm& form = batch.form(step.node);
    const bool all = step.extent == Extent::everything;
    const std::int64_t channels = all ? padded(form.channels) : 1;
    const std::int64_t floats = all ? form.slot() : form.map();
    batch.left().resize(batch.size());
    for (std::size_t s = 0; s < batch.size(); ++s)
    {
        const Factor a = factor(batch, step, 0, s);
        const Factor b = factor(batch, step, 1, s);
        float* to = batch.at(step.buffer, s);
        std::fill_n(to, floats, 0.0F);
        for (std::int64_t p = 0; p < form.pixels(); ++p)
        {
            for (std::int64_t c = 0; c < (all ? form.channels : 1); ++c)
            {
                const float da = a.change_at(p, c);
                const float db = b.change_at(p, c);
                float change = 0;
                if (da != 0) change += da * (b.golden_at(p, c) + db);
                if (db != 0) change += a.golden_at(p, c) * db;
                to[p * channels + c] = change;
            }
        }
        batch.left()[s] = static_cast<char>(batch.kernels().any(to, floats));
    }
}

void box_on_cpu(const MulOp& /*op*/, const BoxStep& step)
{
    const NodeId a = step.node().inputs[0];
    const NodeId b = step.node().inputs[1];
    const bool a_for_all = step.form(a).pixels() == 1;
    const bool b_for_all = step.form(b).pixels() == 1;
    step.by_pixel([&](std::int64_t y, std::int64_t x, float* out) {
        const float* const first = a_for_all ? step.read(a, 0, 0) : step.read(a, y, x);
        const float* const second = b_for_all ? step.read(b, 0, 0) : step.read(b, y, x);
        for (std::int64_t c = 0; c < step.channels(); ++c)
            out[c] = first[c] * second[c];
    });
}

}  // namespace flipstorm
