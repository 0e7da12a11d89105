#pragma once
// A network of whole numbers, laid out for the kernels of one word type. Thread-safe once made.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/compute/integer/integer_kernels.hpp"
#include "engine/compute/integer/integer_network.hpp"

namespace flipstorm
{

/// n rounded up to whole blocks of outputs.
constexpr std::int64_t integer_padded(std::int64_t n)
{
    return (n + kIntegerLanes - 1) / kIntegerLanes * kIntegerLanes;
}

/// Where a node's value lies among those of an image: [frame + height + frame][frame + width + frame][padded
/// channels] at `offset`, the frame of zeros for the convolutions that read it. A flattened value lies where
/// its input does.
struct IntegerPlace
{
    ValueForm form;
    std::int64_t offset = 0;
    std::int64_t frame = 0;
    std::int64_t row = 0;       ///< words between neighbouring rows
    std::int64_t channels = 0;  ///< padded

    [[nodiscard]] std::int64_t at(std::int64_t y, std::int64_t x) const
    {
        return offset + (y + frame) * row + (x + frame) * channels;
    }
    [[nodiscard]] std::int64_t words() const { return (form.height + 2 * frame) * row; }

    /// The map of one channel: [frame + height + frame][frame + width + frame], and what vectors read behind.
    [[nodiscard]] std::int64_t map_row() const { return form.width + 2 * frame; }
    [[nodiscard]] std::int64_t map_at(std::int64_t y, std::int64_t x) const
    {
        return (y + frame) * map_row() + x + frame;
    }
    [[nodiscard]] std::int64_t map_words() const
    {
        return integer_padded((form.height + 2 * frame) * map_row()) + 3 * kIntegerLanes;
    }
};

/// Which rows of a node's value rows [top, bottom) of an input of it are seen in: [first[top], end[bottom −
/// 1]); none where that is empty.
struct IntegerReach
{
    std::vector<std::int64_t> first;
    std::vector<std::int64_t> end;
};

/// A node as its kernels want it; of a product, weights in two layouts.
template<class Word>
struct IntegerLayer
{
    using Sum = typename WordTraits<Word>::Sum;

    IntegerNode node;
    IntegerRescale rescale;                ///< of sums, or of a batch norm
    std::vector<IntegerRescale> of_input;  ///< of an addition or a concatenation
    /// See IntegerProduct, [group][block]…; shared by layers that differ in other parameters alone.
    std::shared_ptr<const std::vector<typename WordTraits<Word>::Weight>> weights;
    /// Of a convolution with groups, [input channel of a group][tap][group][padded outputs of a group].
    std::shared_ptr<const std::vector<std::int32_t>> columns;
    /// Of a layer that reads the end of a channel chain: for maps of one input channel, as IntegerProduct
    /// wants them, [input channel][block]…; a step is some neighbouring columns of a row of the kernel.
    std::shared_ptr<const std::vector<typename WordTraits<Word>::Weight>> map_weights;
    std::vector<std::ptrdiff_t> map_steps;
    std::vector<Sum> start;  ///< [group][blocks][16]
    std::vector<std::ptrdiff_t>
        steps;                        ///< some neighbouring channels of a tap, from a window's first pixel on
    std::int64_t taps = 0;            ///< elements of the kernel
    std::int64_t steps_in_a_row = 0;  ///< of a linear layer: steps that lie side by side, again and again
    std::int64_t groups = 1;          ///< of channels that do not mix
    std::int64_t group_inputs = 0;
    std::int64_t group_outputs = 0;
    std::int64_t blocks = 0;        ///< of a group
    std::int64_t sum_channels = 0;  ///< of the sums of a pixel
};

/// Whether an operation finds out itself what of its input has changed: linear layers, and convolutions
/// without groups.
[[nodiscard]] bool finds_changes(const Operation& operation);

/// Whether kernels compute rows of an operation other than a product: to find what has changed in them takes
/// as long.
[[nodiscard]] bool has_row_kernel(const Operation& operation);

/// \param Word  see WordTraits
template<class Word>
class IntegerModel
{
  public:
    /// \pre network.word_bits fit into the word
    explicit IntegerModel(IntegerNetwork network,
                          const IntegerKernels<Word>& kernels = integer_kernels<Word>());

    [[nodiscard]] const IntegerNetwork& network() const { return network_; }
    [[nodiscard]] const Graph& graph() const { return network_.graph; }
    [[nodiscard]] const IntegerPlace& place(NodeId id) const { return places_[index(id)]; }
    [[nodiscard]] const IntegerLayer<Word>& layer(NodeId id) const { return layers_[index(id)]; }
    [[nodiscard]] const IntegerKernels<Word>& kernels() const { return kernels_; }

    /// Nodes behind a product that act on each channel alone, each read by the next one only: a change of one
    /// channel goes through them as a map. In order; often ReLU and pool, or batch norm and ReLU.
    [[nodiscard]] const std::vector<NodeId>& channel_chain(NodeId id) const { return chains_[index(id)]; }

    /// The last node of a product's chain, or the product.
    [[nodiscard]] NodeId end_of_chain(NodeId id) const
    {
        return channel_chain(id).empty() ? id : channel_chain(id).back();
    }

    /// The product that alone reads the end of a convolution's chain and has weights for single maps; or −1.
    [[nodiscard]] NodeId map_reader(NodeId id) const { return map_readers_[index(id)]; }

    /// Whether all that reads a node takes rows, or finds changes itself.
    [[nodiscard]] bool compared_later(NodeId id) const { return compared_later_[index(id)]; }

    /// Up to how many changed elements of a value are worth a list: beyond, what reads it is computed by
    /// rows.
    [[nodiscard]] std::int64_t list_limit(NodeId id) const { return list_limits_[index(id)]; }

    [[nodiscard]] const IntegerReach& reach(NodeId id, std::size_t input) const
    {
        return reaches_[index(id)][input];
    }

    /// Where a product's sums lie among those of an image, pixel by pixel.
    [[nodiscard]] std::int64_t sums_at(NodeId id) const { return sums_at_[index(id)]; }
    /// Words of the values of an image, and sums.
    [[nodiscard]] std::int64_t words() const { return words_; }
    [[nodiscard]] std::int64_t sums() const { return sums_; }

    /// Whether a node's value is logits of more bits than a word has: held as 32-bit codes.
    [[nodiscard]] bool is_wide(NodeId id) const
    {
        return id == graph().output() && is_product(graph().node(id).operation);
    }

    /// A node as it would be with other parameters. \param node  without weights: they are the golden ones
    [[nodiscard]] IntegerLayer<Word> laid_out(NodeId id, IntegerNode node) const;

    /// Bytes that it holds.
    [[nodiscard]] std::uint64_t bytes() const;

  private:
    void place_values();
    void find_chains();
    void find_map_readers();
    void find_list_limits();
    void find_reaches();
    [[nodiscard]] std::int64_t most_columns(NodeId id) const;
    void lay_out_product(NodeId id, IntegerLayer<Word>& layer) const;
    void lay_out_maps(NodeId id, IntegerLayer<Word>& layer) const;

    IntegerNetwork network_;
    const IntegerKernels<Word>& kernels_;
    std::vector<IntegerPlace> places_;
    std::vector<IntegerLayer<Word>> layers_;
    std::vector<std::int64_t> sums_at_;
    std::vector<std::vector<NodeId>> chains_;         ///< by node
    std::vector<bool> compared_later_;                ///< by node
    std::vector<std::int64_t> list_limits_;           ///< by node
    std::vector<std::vector<IntegerReach>> reaches_;  ///< by node and input
    std::vector<NodeId> map_readers_;                 ///< by node
    std::vector<bool> reads_maps_;                    ///< by node: it is a map_reader of another
    std::int64_t words_ = 0;
    std::int64_t sums_ = 0;
};

}  // namespace flipstorm
