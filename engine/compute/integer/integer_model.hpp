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
    /// [input channel of a group][tap][group][padded outputs of a group]
    std::shared_ptr<const std::vector<std::int32_t>> columns;
    std::vector<Sum> start;            ///< [group][blocks][16]
    std::vector<std::ptrdiff_t> taps;  ///< from the first pixel that a window reads
    std::int64_t groups = 1;           ///< of channels that do not mix
    std::int64_t group_inputs = 0;
    std::int64_t group_outputs = 0;
    std::int64_t blocks = 0;        ///< of a group
    std::int64_t sum_channels = 0;  ///< of the sums of a pixel
};

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

    /// Whether what reads a node is one such node: computing that is less work than to find what has changed.
    [[nodiscard]] bool compared_later(NodeId id) const { return compared_later_[index(id)]; }

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
    void lay_out_product(NodeId id, IntegerLayer<Word>& layer) const;

    IntegerNetwork network_;
    const IntegerKernels<Word>& kernels_;
    std::vector<IntegerPlace> places_;
    std::vector<IntegerLayer<Word>> layers_;
    std::vector<std::int64_t> sums_at_;
    std::vector<std::vector<NodeId>> chains_;  ///< by node
    std::vector<bool> compared_later_;         ///< by node
    std::int64_t words_ = 0;
    std::int64_t sums_ = 0;
};

}  // namespace flipstorm
