#pragma once
// One image in a network of whole numbers: its golden values, and what a change makes of them. Whole numbers
// add up to the same sum in any order, so that a change followed element by element has the bits of a full
// pass; it ends where nothing of it is left behind a rounding.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/compute/integer/integer_model.hpp"

namespace flipstorm
{

/// An element of a value.
struct IntegerAt
{
    std::uint16_t y = 0;
    std::uint16_t x = 0;
    std::uint32_t channel = 0;
};

/// A weight of a linear layer: where its input lies, its neuron and its golden code.
struct NeuronWeight
{
    std::int64_t input = 0;
    std::int64_t neuron = 0;
    std::int32_t golden = 0;
};

/// What of a node's value has changed.
struct IntegerChange
{
    enum class Kind : std::uint8_t
    {
        none,
        listed,  ///< the listed elements, and no other
        rows,    ///< any element of the rows [top, bottom)
    };

    Kind kind = Kind::none;
    std::vector<IntegerAt> list;
    std::int64_t top = 0;
    std::int64_t bottom = 0;
};

/// Not to be shared by threads. Call `load` first; then follow one change after another.
template<class Word>
class IntegerImage
{
  public:
    using Sum = typename WordTraits<Word>::Sum;

    /// \param model  has to outlive it
    explicit IntegerImage(const IntegerModel<Word>& model);

    /// Another image: compute all its golden values. \param image  normalised, [C, H, W]
    void load(const float* image);

    /// The logits of another image, by a full pass, without what following changes takes.
    [[nodiscard]] const std::vector<float>& pass(const float* image)
    {
        compute_golden(image);
        return golden_logits_;
    }

    /// [classes]
    [[nodiscard]] const std::vector<float>& golden_logits() const { return golden_logits_; }

    /**
     * The logits if a weight of a convolution or linear layer had another code; null if they are as golden.
     *
     * \param nodes  all that depend on the layer, without it, in order \param weight  row-major in its tensor
     */
    [[nodiscard]] const float* follow_weight(NodeId layer, const std::vector<NodeId>& nodes,
                                             std::int64_t weight, std::int32_t code);

    /// The codes that a weight of a convolution is multiplied by, output by output. \param codes  [pixels]
    /// \returns the largest magnitude
    float met_by(NodeId layer, std::int64_t weight, float* codes);

    [[nodiscard]] NeuronWeight neuron_weight(NodeId layer, std::int64_t weight) const;

    /// How far the code of the neuron moves that a weight of a linear layer belongs to.
    [[nodiscard]] std::int64_t neuron_move(NodeId layer, const NeuronWeight& weight, std::int32_t code) const;

    /// The same if a node had other parameters. \param other  as IntegerModel::laid_out
    [[nodiscard]] const float* follow_parameters(NodeId id, const std::vector<NodeId>& nodes,
                                                 const IntegerLayer<Word>& other);

    /// The same if elements of a node's value had other codes. \param codes  of the elements
    [[nodiscard]] const float* follow_value(NodeId id, const std::vector<NodeId>& nodes,
                                            const std::vector<IntegerAt>& elements,
                                            const std::vector<std::int32_t>& codes);

    /// The same, computing all values behind the node anew.
    [[nodiscard]] const float* replace_value(NodeId id, const std::vector<NodeId>& nodes,
                                             const std::vector<IntegerAt>& elements,
                                             const std::vector<std::int32_t>& codes);

    /// The logits of an image if a node had other parameters, by a full pass: what following them is held
    /// against. Golden values are not there afterwards.
    [[nodiscard]] const std::vector<float>& full_pass(const float* image, NodeId id,
                                                      const IntegerLayer<Word>& other);

    /// Bytes of the values of an image.
    [[nodiscard]] static std::uint64_t bytes(const IntegerModel<Word>& model);

    /// A golden code.
    [[nodiscard]] std::int32_t golden_code(NodeId id, IntegerAt at) const;

    /// Multiply-accumulate operations done so far, golden passes aside.
    [[nodiscard]] double macs() const { return macs_; }

  private:
    using Kind = IntegerChange::Kind;

    /// Where rows are computed: the arrays of an image.
    struct Arrays
    {
        std::vector<Word>& values;
        std::vector<Sum>& sums;
        std::vector<std::int32_t>& wide;
    };

    [[nodiscard]] const Node& node(NodeId id) const { return model_.graph().node(id); }
    [[nodiscard]] const IntegerPlace& place(NodeId id) const { return model_.place(id); }
    [[nodiscard]] const IntegerLayer<Word>& layer(NodeId id) const
    {
        return other_ != nullptr && id == other_node_ ? *other_ : model_.layer(id);
    }
    [[nodiscard]] IntegerChange& change(NodeId id) { return changes_[index(id)]; }
    [[nodiscard]] static std::int32_t code(Word word)
    {
        return static_cast<std::int32_t>(word) - WordTraits<Word>::kZero;
    }
    [[nodiscard]] static Word word(std::int64_t code)
    {
        return static_cast<Word>(code + WordTraits<Word>::kZero);
    }
    [[nodiscard]] std::int64_t position(NodeId id, IntegerAt at) const
    {
        return place(id).at(at.y, at.x) + at.channel;
    }

    void compute_golden(const float* image);

    /// Rows [top, bottom) of a node's value, from its inputs'.
    void compute_rows(NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const InputOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const Conv2dOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const LinearOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const BatchNormOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                 const Arrays& arrays);
    void rows_of(const ReluOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const Relu6Op& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const MaxPool2dOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                 const Arrays& arrays);
    void rows_of(const AvgPool2dOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                 const Arrays& arrays);
    void rows_of(const GlobalAvgPoolOp& op, NodeId id, std::int64_t top, std::int64_t bottom,
                 const Arrays& arrays);
    void rows_of(const AddOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const PadOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const SliceOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const ConcatOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const FlattenOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const SigmoidOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const SiluOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void rows_of(const MulOp& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    void product_row(NodeId id, const Word* in, std::ptrdiff_t in_step, std::int64_t y, const Arrays& arrays);
    void relu_rows(NodeId id, std::int64_t top, std::int64_t bottom, Word ceiling, const Arrays& arrays);
    template<class Op>
    void element_rows(const Op& op, NodeId id, std::int64_t top, std::int64_t bottom, const Arrays& arrays);
    /// One element of an operation other than a product, without its limits.
    [[nodiscard]] std::int64_t element_of(const BatchNormOp& op, NodeId id, IntegerAt at,
                                          const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const ReluOp& op, NodeId id, IntegerAt at,
                                          const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const Relu6Op& op, NodeId id, IntegerAt at,
                                          const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const MaxPool2dOp& op, NodeId id, IntegerAt at,
                                          const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const AvgPool2dOp& op, NodeId id, IntegerAt at,
                                          const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const GlobalAvgPoolOp& op, NodeId id, IntegerAt at,
                                          const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const AddOp& op, NodeId id, IntegerAt at, const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const PadOp& op, NodeId id, IntegerAt at, const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const SliceOp& op, NodeId id, IntegerAt at,
                                          const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const ConcatOp& op, NodeId id, IntegerAt at,
                                          const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const SigmoidOp& op, NodeId id, IntegerAt at,
                                          const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const SiluOp& op, NodeId id, IntegerAt at,
                                          const Word* values) const;
    [[nodiscard]] std::int64_t element_of(const MulOp& op, NodeId id, IntegerAt at, const Word* values) const;
    /// Of a node's input.
    [[nodiscard]] std::int32_t input_code(NodeId id, std::size_t input, const Word* values, std::int64_t y,
                                          std::int64_t x, std::int64_t channel) const
    {
        return code(values[place(node(id).inputs[input]).at(y, x) + channel]);
    }
    [[nodiscard]] std::int64_t mean_of(NodeId id, IntegerAt at, const Word* values, std::int64_t y0,
                                       std::int64_t y1, std::int64_t x0, std::int64_t x1) const;

    /// Find out how the listed or any elements of a node's inputs change it.
    void carry(NodeId id);
    void carry_list(NodeId id);
    template<class Op>
    void carry_elements(const Op& op, NodeId id);
    void carry_rows(NodeId id);
    void carry_list_through_product(NodeId id);
    void carry_through_linear(NodeId id);
    void carry_through_conv(const Conv2dOp& op, NodeId id);
    void change_pixels(const Conv2dOp& op, NodeId id, std::int64_t y, std::int64_t top, std::int64_t bottom);
    [[nodiscard]] static IntegerProductChange<Word> product_change(const IntegerLayer<Word>& of);
    void multiply_changes(const IntegerLayer<Word>& of, const IntegerProductChange<Word>& change);
    [[nodiscard]] std::int64_t find_changed_steps(NodeId id, std::int64_t top, std::int64_t bottom);
    [[nodiscard]] std::pair<std::int64_t, std::int64_t> changed_rows(NodeId id);
    void add_columns(NodeId id, const IntegerAt& at);
    void touch(NodeId id, std::int64_t y, std::int64_t x);
    void settle_touched(NodeId id);
    /// What of the rows differs from the golden value.
    void compare_rows(NodeId id, std::int64_t top, std::int64_t bottom);
    void compare_wide(NodeId id);
    void settle_rows(NodeId id, std::int64_t top, std::int64_t bottom);
    /// The codes of neighbouring pixels from their sums.
    void settle_sums(NodeId id, std::int64_t y, std::int64_t x, std::int64_t pixels)
    {
        codes_of_sums(id, y, x, pixels, {now_, sums_, wide_});
    }
    void codes_of_sums(NodeId id, std::int64_t y, std::int64_t x, std::int64_t pixels, const Arrays& arrays);
    void set(NodeId id, IntegerAt at, std::int64_t code);

    /// Carry what was set through the nodes. \returns the logits, or null
    const float* follow(NodeId from, const std::vector<NodeId>& nodes);
    void restore(NodeId id);

    /// Words of one channel: rows so far apart.
    struct Map
    {
        const Word* words = nullptr;
        std::int64_t row = 0;
    };
    [[nodiscard]] const Word* golden_map(NodeId id, std::int64_t channel);
    [[nodiscard]] Map input_of(NodeId id, std::int64_t weight);
    void gather_channel(NodeId id, std::int64_t channel, std::int64_t row);
    void map_through(NodeId id, std::int64_t channel, std::vector<Word>& map, std::int64_t& row, Word* last);
    [[nodiscard]] NodeId follow_channel(NodeId id, std::int64_t weight, std::int32_t code);
    void add_map(NodeId id, const IntegerPlace& in, std::int64_t channel, const Word* map, std::int64_t top,
                 std::int64_t bottom, const Sum* start, Sum* sums);
    void carry_map(NodeId id, NodeId end, std::int64_t channel, std::int64_t top, std::int64_t bottom);
    void follow_neuron(NodeId id, std::int64_t weight, std::int32_t code);
    void read_logits(const Arrays& arrays, std::vector<float>& logits) const;

    const IntegerModel<Word>& model_;
    std::vector<Word> golden_;
    std::vector<Word> now_;  ///< golden but for what changes
    std::vector<Sum> golden_sums_;
    std::vector<Sum> sums_;
    std::vector<std::int32_t> golden_wide_;
    std::vector<std::int32_t> wide_;
    std::vector<float> golden_logits_;
    std::vector<float> logits_;
    std::vector<IntegerChange> changes_;  ///< by node
    std::vector<std::uint64_t> touched_;  ///< by pixel of a product: the call that touched it
    std::uint64_t call_ = 0;
    std::vector<IntegerAt> touched_list_;
    std::vector<std::int32_t> places_;     ///< that differ
    std::vector<std::int32_t> starts_;     ///< of each pixel's among them
    std::vector<std::int32_t> of_column_;  ///< how many each column of an input has, in the rows of a window
    std::vector<std::int32_t> of_pixel_;   ///< how many each window of a row has
    std::vector<std::int32_t> changed_steps_;
    std::vector<std::int64_t> pooled_;  ///< sums of each channel
    std::vector<std::uint64_t> once_;   ///< by channel of a value of one pixel: the call that computed it
    const IntegerLayer<Word>* other_ = nullptr;  ///< in place of a node's own
    NodeId other_node_{0};

    /// Maps of the channels of a value that were asked for, framed by zeros.
    struct ChannelMaps
    {
        std::vector<Word> golden;         ///< [channels][map]
        std::vector<std::uint64_t> load;  ///< by channel: the image that the golden map is of
        std::vector<Word> changed;        ///< one
    };
    std::vector<ChannelMaps> maps_;  ///< by node
    std::uint64_t load_ = 0;         ///< images so far
    NodeId gathered_node_{-1};       ///< whose channel's sums are gathered
    std::int64_t gathered_channel_ = -1;
    std::vector<Sum> channel_sums_;
    std::vector<Word> channel_new_;
    std::vector<Word> channel_spare_;
    NodeId met_node_{-1};  ///< whose weight's inputs are gathered
    std::int64_t met_weight_ = -1;
    std::uint64_t met_load_ = 0;
    std::vector<Word> channel_input_;
    NodeId others_node_{-1};  ///< whose sums without a channel of its input are there
    std::int64_t others_channel_ = -1;
    std::vector<Sum> other_sums_;
    std::vector<Sum> no_sums_;
    double macs_ = 0;
};

}  // namespace flipstorm
