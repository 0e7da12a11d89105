#pragma once
// Changes of some faults on one image, side by side in slots, on their way through the graph: faulty minus
// golden values. What each operation does to them is in its file (operations.hpp).

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/compute/cpu/native_program.hpp"

namespace flipstorm
{

/// Golden values of a tile's images, by node; null where no operation reads them.
struct GoldenValues
{
    std::vector<const float*> maps;   ///< [tile][C][pixels]
    std::vector<const float*> slots;  ///< [tile][pixels][padded C]
};

/// Work space of a thread, kept from one batch to the next.
struct ChangeSpace
{
    std::vector<std::vector<float>> buffers;  ///< by buffer: [batch][floats]
    std::vector<float> frames;                ///< [batch][frame floats]
    std::vector<std::ptrdiff_t> quads;
    std::vector<float> block;  ///< outputs of one block

    void fit(const NativeProgram& program);
};

class ChangeBatch
{
  public:
    /// All that it is made of must outlive it; `space` fits the program.
    ChangeBatch(const NativeNetwork& network, const Kernels& kernels, const NativeProgram& program,
                const GoldenValues& golden, ChangeSpace& space)
        : network_(network), kernels_(kernels), program_(program), golden_(golden), space_(space)
    {}

    /// The image of the tile that the slots are on from now on.
    void set_image(std::int64_t image) { image_ = image; }

    /// Add a slot for a fault of an output channel. \returns its change at the layer: to be filled, [map()]
    float* add(std::int64_t channel);
    void clear() { channels_.clear(); }
    [[nodiscard]] std::size_t size() const { return channels_.size(); }
    [[nodiscard]] bool full() const { return channels_.size() == static_cast<std::size_t>(program_.batch); }

    /// Compute a node's changes in all slots.
    void compute(const NativeStep& step);

    /// After a non-linear step, by slot: whether anything of its change is left.
    [[nodiscard]] std::vector<char>& left() { return left_; }

    /// Close the gaps that slots leave; only `buffer` is alive. \param stays  by slot
    void keep(std::int32_t buffer, std::int64_t floats, const std::vector<char>& stays);

    [[nodiscard]] const NativeNetwork& network() const { return network_; }
    [[nodiscard]] const Kernels& kernels() const { return kernels_; }
    [[nodiscard]] const NativeProgram& program() const { return program_; }
    [[nodiscard]] ChangeSpace& space() { return space_; }
    [[nodiscard]] const PaddedForm& form(NodeId id) const { return network_.form(id); }
    [[nodiscard]] const NativeNode& node(NodeId id) const { return network_.nodes[index(id)]; }

    /// A slot's change in a buffer.
    [[nodiscard]] float* at(std::int32_t buffer, std::size_t slot)
    {
        return space_.buffers[static_cast<std::size_t>(buffer)].data() +
               static_cast<std::int64_t>(slot) * floats_of(buffer);
    }
    [[nodiscard]] std::int64_t floats_of(std::int32_t buffer) const
    {
        return program_.buffer_floats[static_cast<std::size_t>(buffer)];
    }
    /// The channel that changes at a node.
    [[nodiscard]] std::int64_t channel_at(NodeId id, std::size_t slot) const
    {
        return channels_[slot] + program_.flow.shift[index(id)];
    }
    [[nodiscard]] const float* golden_map(NodeId id, std::int64_t channel) const
    {
        const PaddedForm& f = form(id);
        return golden_.maps[index(id)] + (image_ * f.channels + channel) * f.pixels();
    }
    [[nodiscard]] const float* golden_slot(NodeId id) const
    {
        return golden_.slots[index(id)] + image_ * form(id).slot();
    }

    void count_macs(double macs) { macs_ += macs; }
    [[nodiscard]] double macs() const { return macs_; }

  private:
    const NativeNetwork& network_;
    const Kernels& kernels_;
    const NativeProgram& program_;
    const GoldenValues& golden_;
    ChangeSpace& space_;
    std::int64_t image_ = 0;
    std::vector<std::int64_t> channels_;  ///< by slot: faulty output channel
    std::vector<char> left_;
    double macs_ = 0;
};

}  // namespace flipstorm
