// The LibTorch backend: the changes of a group of faults on a tile of images, side by side in the batch
// dimension of whole-tensor operations on the executor's device. The screen judges all (fault, image) pairs
// at once; the others go from checkpoint to checkpoint in batches, closing up where pairs leave, and only
// counts come back to the host.

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/evaluate/audit.hpp"
#include "engine/evaluate/certificate.hpp"
#include "engine/evaluate/golden_pass.hpp"
#include "engine/evaluate/libtorch_program.hpp"
#include "engine/evaluate/overflow_bound.hpp"
#include "engine/evaluate/results_revision.hpp"
#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{
namespace
{

/// What is counted of each fault's pairs.
enum Column : std::size_t
{
    kMasked,
    kProven,
    kScreened,     ///< at the faulty layer
    kRescreened,   ///< further on
    kAuditMasked,  ///< audited, the change came out as zero
    kAuditFinished,
    kDisagreements,
    kFinished,
    kCorrect,  ///< right under the fault minus right in the golden pass
    kMismatches,
    kNonfinite,
    kColumns
};

/// The faulty layer and where its weights lie.
struct LayerGeometry
{
    std::int64_t filter = 0;  ///< weights of one output
    std::int64_t outputs = 0;
    std::int64_t pixels = 1;  ///< of an output channel
    std::optional<Conv2dOp> conv;

    LayerGeometry(const Graph& graph, const InjectableLayer& layer)
        : filter(static_cast<std::int64_t>(layer.weights) / layer.out_channels), outputs(layer.out_channels)
    {
        const Node& node = graph.node(layer.node);
        if (const auto* op = std::get_if<Conv2dOp>(&node.operation))
        {
            conv = *op;
            pixels = node.shape[1] * node.shape[2];
        }
    }

    /// Whether first-order moves are prepared for all weights: no more floats than the gradients would be.
    [[nodiscard]] bool reach_of_all() const { return !conv || filter <= kRivals * pixels; }
};

/**
 * The largest weight change that to first order moves no margin past zero.
 *
 *     min( min over rivals k of margin_k / |move_k|,  rest / (kOtherRivals · max over k of |move_k|) )
 *
 * \param moves  of the margins for a unit change, [tile, rivals, n]
 * \returns [tile, n]
 */
torch::Tensor reach_of(const torch::Tensor& moves, const torch::Tensor& margins, const torch::Tensor& rest)
{
    // A margin of zero that does not move gives NaN, which no change is smaller than.
    const torch::Tensor size = moves.abs();
    return torch::minimum((margins.unsqueeze(2) / size).amin(1),
                          rest.unsqueeze(1) / (kOtherRivals * size.amax(1)));
}

/// Golden values and gradients on the device.
struct LibtorchTile : PreparedTile
{
    std::vector<torch::Tensor> golden;  ///< by node, [tile, …]
    torch::Tensor input;                ///< of the layer; of a convolution padded
    torch::Tensor largest;  ///< of a convolution: largest |input| a weight meets, [tile, C_in · k²]
    torch::Tensor length;   ///< and the Euclidean length of all it meets, where a certificate asks for it
    torch::Tensor reach;    ///< see reach_of(); by weight, or by neuron of a linear layer. [tile, …]
    torch::Tensor layer_gradients;  ///< where `reach` is not there: [tile, rivals, C_out, pixels]
    std::vector<std::vector<torch::Tensor>> gradients;  ///< by checkpoint's node, [rivals][tile, …]
    torch::Tensor margins;                              ///< [tile, rivals]
    torch::Tensor rest;                                 ///< [tile]
    torch::Tensor certainty;                            ///< [tile]
    torch::Tensor certain;                              ///< [tile]
    torch::Tensor logits;                               ///< [tile, classes]
    torch::Tensor label;                                ///< [tile]
    torch::Tensor top1;                                 ///< [tile]
    std::uint64_t size = 0;

    [[nodiscard]] std::uint64_t bytes() const override { return size; }
};

class LibtorchEvaluator : public TileEvaluator
{
  public:
    LibtorchEvaluator(const Network& network, const Executor& executor,
                      const std::vector<std::vector<float>>& spread, std::uint64_t seed,
                      std::uint64_t work_bytes)
        : graph_(network.graph),
          executor_(executor),
          operations_(network, executor),
          overflow_(network),
          seed_(seed),
          work_floats_(static_cast<std::int64_t>(
              std::min(work_bytes, executor.device().is_cuda() ? kCudaWork : kCpuWork) / sizeof(float)))
    {
        for (const std::vector<float>& of_node : spread)
            spread_.push_back(on_device(torch::tensor(of_node, torch::kFloat32)));
        LogitGains gains(network);
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            programs_.push_back(operations_.program(layer.node));
            weights_.push_back(network.parameters[layer.weight].values());
            gains_.emplace_back();
            // The last layer is never screened.
            if (!spread_.empty() && layer.node != graph_.output()) continue;
            gains_.back() = on_device(
                torch::tensor(gains.of_layer(programs_.back().flow, layer.node)).to(torch::kFloat32));
        }
    }

    [[nodiscard]] std::size_t group_size() const override
    {
        return executor_.device().is_cuda() ? 1024 : 256;
    }

    [[nodiscard]] TileMemory memory(const InjectableLayer& layer, std::int64_t tile_images) const override;

    [[nodiscard]] std::unique_ptr<PreparedTile> prepare(const InjectableLayer& layer, const Tile& tile,
                                                        bool screened) const override;

    WorkCount evaluate(const InjectableLayer& layer, const Screen* screen, const ChangeGroup& group,
                       const Tile& tile, const PreparedTile* prepared) const override;

    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] const Executor& executor() const { return executor_; }
    [[nodiscard]] const ChangeOperations& operations() const { return operations_; }
    [[nodiscard]] const OverflowBound& overflow() const { return overflow_; }
    [[nodiscard]] const LibtorchProgram& program(const InjectableLayer& layer) const
    {
        return programs_[static_cast<std::size_t>(layer.id.value())];
    }
    [[nodiscard]] const std::vector<float>& weights(const InjectableLayer& layer) const
    {
        return weights_[static_cast<std::size_t>(layer.id.value())];
    }
    /// Standard deviations of a node's channels. [channels]
    [[nodiscard]] const torch::Tensor& spread(NodeId id) const { return spread_[index(id)]; }
    /// By channel of a layer: see LogitGains; undefined where there is a screen.
    [[nodiscard]] const torch::Tensor& gains(const InjectableLayer& layer) const
    {
        return gains_[static_cast<std::size_t>(layer.id.value())];
    }
    [[nodiscard]] std::uint64_t seed() const { return seed_; }
    [[nodiscard]] torch::Tensor on_device(const torch::Tensor& tensor) const
    {
        return tensor.to(executor_.device());
    }

    /// Pairs followed side by side.
    [[nodiscard]] std::int64_t batch(const LibtorchProgram& program) const
    {
        return std::clamp<std::int64_t>(work_floats_ / pair_floats(program), 1, kMostPairs);
    }

    /// Faults for which moves are reckoned side by side, where they were not prepared.
    [[nodiscard]] std::int64_t moves_batch(const LayerGeometry& geometry, std::int64_t tile_images) const
    {
        return std::max<std::int64_t>(1, work_floats_ / (move_floats(geometry) * tile_images));
    }

  private:
    static constexpr std::int64_t kMostPairs = 8192;
    static constexpr std::uint64_t kCpuWork = std::uint64_t{8} << 20U;
    static constexpr std::uint64_t kCudaWork = std::uint64_t{1} << 30U;

    /// Floats per (fault, image) for the moves of a weight: its inputs, and per rival gradients and products.
    [[nodiscard]] static std::int64_t move_floats(const LayerGeometry& geometry)
    {
        return (1 + 2 * kRivals) * geometry.pixels;
    }

    /// Floats of a pair on its way, those that wait at checkpoints included.
    [[nodiscard]] static std::int64_t pair_floats(const LibtorchProgram& program)
    {
        std::int64_t waiting = 0;
        std::int64_t most = 0;
        for (const Segment& segment : program.segments)
        {
            waiting += segment.entry_floats;
            most = std::max(most, segment.floats);
        }
        constexpr std::int64_t kIndices = 32;
        return waiting + most + kIndices;
    }

    void prepare_layer(LibtorchTile& prepared, const LayerGeometry& geometry, const torch::Tensor& input,
                       const std::vector<torch::Tensor>& gradients) const;

    Graph graph_;
    Executor executor_;
    ChangeOperations operations_;
    OverflowBound overflow_;
    std::vector<torch::Tensor> spread_;  ///< by node
    std::uint64_t seed_;
    std::int64_t work_floats_;               ///< for a batch
    std::vector<LibtorchProgram> programs_;  ///< by layer id
    std::vector<SharedValues> weights_;      ///< golden, by layer id
    std::vector<torch::Tensor> gains_;       ///< by layer id
};

/// What the first step of a fault needs: its inputs, and how far a weight may move.
void LibtorchEvaluator::prepare_layer(LibtorchTile& prepared, const LayerGeometry& geometry,
                                      const torch::Tensor& input,
                                      const std::vector<torch::Tensor>& gradients) const
{
    const bool screened = !gradients.empty();
    if (!geometry.conv)
    {
        prepared.input = input.contiguous();
        if (screened) prepared.reach = reach_of(torch::stack(gradients, 1), prepared.margins, prepared.rest);
        return;
    }
    const Conv2dOp& op = *geometry.conv;
    prepared.input = padded_by(input, op);
    const std::int64_t images = input.size(0);
    const bool all = screened && geometry.reach_of_all();
    torch::Tensor by_group;  // [tile · groups, rivals · outputs of the group, pixels]
    if (screened)
    {
        const torch::Tensor stacked = torch::stack(gradients, 1).flatten(3).contiguous();
        if (all)
        {
            by_group = stacked.view({images, -1, op.groups, op.out_channels / op.groups, geometry.pixels})
                           .transpose(1, 2)
                           .reshape({images * op.groups, -1, geometry.pixels});
        }
        else
            prepared.layer_gradients = stacked;
    }
    const torch::Tensor taps = windows(prepared.input, op);
    std::vector<torch::Tensor> largest;
    std::vector<torch::Tensor> length;
    std::vector<torch::Tensor> reach;
    for (std::int64_t tap = 0; tap < op.kernel * op.kernel; ++tap)
    {
        const torch::Tensor met = taps.select(2, tap / op.kernel)
                                      .select(2, tap % op.kernel)
                                      .reshape({images * op.groups, -1, geometry.pixels});
        largest.push_back(met.abs().amax(2).view({images, op.in_channels}));
        if (spread_.empty()) length.push_back(met.norm(2, 2).view({images, op.in_channels}));
        if (!all) continue;
        const torch::Tensor moves =
            torch::bmm(by_group, met.transpose(1, 2))
                .view({images, op.groups, -1, op.out_channels / op.groups, op.in_channels / op.groups})
                .transpose(1, 2)
                .flatten(2);
        reach.push_back(reach_of(moves, prepared.margins, prepared.rest));
    }
    prepared.largest = torch::stack(largest, 2).flatten(1);
    if (!length.empty()) prepared.length = torch::stack(length, 2).flatten(1);
    if (all) prepared.reach = torch::stack(reach, 2).flatten(1);
}

std::unique_ptr<PreparedTile> LibtorchEvaluator::prepare(const InjectableLayer& layer, const Tile& tile,
                                                         bool screened) const
{
    const LibtorchProgram& plan = program(layer);
    const NodeId input = graph_.node(layer.node).inputs[0];
    GoldenRequest request;
    request.layer = layer.node;
    request.values = plan.golden_nodes;
    request.values.push_back(input);
    if (screened)
    {
        request.gradients = plan.flow.checkpoints;
        request.gradients.push_back(layer.node);
    }
    GoldenPass pass = golden_pass(executor_, tile.images, request);
    const torch::NoGradGuard no_gradients;
    auto prepared = std::make_unique<LibtorchTile>();
    prepared->logits = on_device(pass.logits);
    prepared->certain = on_device(torch::tensor(pass.certain, torch::kFloat32));
    prepared->label = on_device(torch::tensor(tile.label, torch::kInt64));
    prepared->top1 = on_device(torch::tensor(tile.top1, torch::kInt64));
    std::vector<torch::Tensor> layer_gradients;
    if (screened)
    {
        prepared->margins = on_device(torch::tensor(pass.margins, torch::kFloat32).view({tile.size(), -1}));
        prepared->rest = on_device(torch::tensor(pass.rest, torch::kFloat32));
        prepared->certainty = on_device(torch::tensor(tile.certainty, torch::kFloat32));
        prepared->gradients = std::move(pass.gradients);
        layer_gradients = std::move(prepared->gradients[index(layer.node)]);
        prepared->gradients[index(layer.node)].clear();
    }
    prepare_layer(*prepared, LayerGeometry(graph_, layer), pass.values[index(input)], layer_gradients);
    prepared->golden.resize(graph_.nodes().size());
    const auto hold = [&](const torch::Tensor& tensor) {
        if (tensor.defined()) prepared->size += static_cast<std::uint64_t>(tensor.numel()) * sizeof(float);
    };
    for (const NodeId id : plan.golden_nodes)
    {
        prepared->golden[index(id)] = pass.values[index(id)].contiguous();
        hold(prepared->golden[index(id)]);
    }
    for (std::vector<torch::Tensor>& of_node : prepared->gradients)
    {
        for (torch::Tensor& gradient : of_node)
        {
            gradient = gradient.contiguous();
            hold(gradient);
        }
    }
    for (const torch::Tensor& tensor : {prepared->input, prepared->largest, prepared->length, prepared->reach,
                                        prepared->layer_gradients, prepared->margins, prepared->logits})
        hold(tensor);
    return prepared;
}

TileMemory LibtorchEvaluator::memory(const InjectableLayer& layer, std::int64_t tile_images) const
{
    const LibtorchProgram& plan = program(layer);
    const LayerGeometry geometry(graph_, layer);
    const Node& node = graph_.node(layer.node);
    const Shape& in = graph_.node(node.inputs[0]).shape;
    const auto of = [&](NodeId id) { return elements(graph_.node(id).shape); };
    std::int64_t padded_input = elements(in);
    std::int64_t floats = 2 * elements(graph_.node(graph_.output()).shape) + 10;
    if (geometry.conv)
    {
        const Conv2dOp& op = *geometry.conv;
        padded_input = in[0] * (in[1] + 2 * op.padding) * (in[2] + 2 * op.padding);
        floats += (spread_.empty() ? 2 : 1) * in[0] * op.kernel * op.kernel;
    }
    floats += padded_input;
    for (const NodeId id : plan.golden_nodes)
        floats += of(id);
    std::int64_t transient = 2 * padded_input + of(node.inputs[0]);
    std::int64_t moves = 0;
    if (!spread_.empty())
    {
        std::int64_t gradients = of(layer.node);
        for (const NodeId id : plan.flow.checkpoints)
            gradients += of(id);
        const std::int64_t rivals = rivals_of(graph_, layer.node);
        floats += rivals * (gradients - of(layer.node));
        if (!geometry.conv)
            floats += geometry.outputs;
        else if (geometry.reach_of_all())
            floats += geometry.outputs * geometry.filter;
        else
            floats += rivals * of(layer.node);
        // What automatic differentiation keeps of every node, the gradients in two layouts, and the moves.
        transient += 2 * rivals * of(layer.node) + geometry.outputs * geometry.filter;
        for (const NodeId id : plan.flow.nodes)
            transient += of(id);
        moves = geometry.reach_of_all() ? 0 : move_floats(geometry) * tile_images;
    }
    else
    {
        transient += live_elements(graph_, NodeId(0));
    }
    TileMemory memory;
    memory.prepared = static_cast<std::uint64_t>(floats * tile_images) * sizeof(float);
    memory.preparing = static_cast<std::uint64_t>(transient * tile_images) * sizeof(float);
    const std::int64_t of_batch = batch(plan) * pair_floats(plan);
    const std::int64_t of_moves = std::max(moves, moves * moves_batch(geometry, tile_images));
    // All pairs of a group: judged by the screen, then listed.
    constexpr std::uint64_t kPairBytes = 64;
    memory.work = static_cast<std::uint64_t>(std::max(of_batch, of_moves)) * sizeof(float) +
                  static_cast<std::uint64_t>(tile_images) * group_size() * kPairBytes;
    return memory;
}

/// (fault, image) pairs at a checkpoint, or, without a change, at the faulty layer.
struct PairBatch
{
    torch::Tensor image;     ///< [pairs]
    torch::Tensor fault;     ///< [pairs]
    torch::Tensor screened;  ///< whether the screen would have let it go; [pairs]
    torch::Tensor change;    ///< [pairs, …]

    [[nodiscard]] std::int64_t size() const { return image.defined() ? image.size(0) : 0; }

    [[nodiscard]] PairBatch range(std::int64_t first, std::int64_t count) const
    {
        const auto part = [&](const torch::Tensor& t) { return t.defined() ? t.narrow(0, first, count) : t; };
        return {part(image), part(fault), part(screened), part(change)};
    }

    [[nodiscard]] PairBatch selected(const torch::Tensor& rows) const
    {
        return {image.index_select(0, rows), fault.index_select(0, rows), screened.index_select(0, rows),
                change.index_select(0, rows)};
    }

    void append(const PairBatch& other)
    {
        if (size() == 0)
            *this = other;
        else
        {
            image = torch::cat({image, other.image});
            fault = torch::cat({fault, other.fault});
            screened = torch::cat({screened, other.screened});
            change = torch::cat({change, other.change});
        }
    }
};

/// Follows a group's changes of one layer on one tile.
class GroupRun
{
  public:
    GroupRun(const LibtorchEvaluator& evaluator, const InjectableLayer& layer, const Screen* screen,
             const ChangeGroup& group, const Tile& tile, const LibtorchTile& golden)
        : evaluator_(evaluator),
          operations_(evaluator.operations()),
          program_(evaluator.program(layer)),
          layer_(layer),
          geometry_(evaluator.graph(), layer),
          screen_(screen != nullptr && std::isfinite(screen->kappa) && golden.margins.defined() ? screen
                                                                                                : nullptr),
          group_(group),
          tile_(tile),
          golden_(golden),
          batch_(evaluator.batch(program_)),
          waiting_(program_.segments.size())
    {}

    WorkCount run();

  private:
    void upload();
    [[nodiscard]] torch::Tensor reach() const;
    [[nodiscard]] torch::Tensor unfinished();
    [[nodiscard]] torch::Tensor start(const PairBatch& pairs) const;
    void follow(std::size_t segment, PairBatch pairs);
    void leave_to_reference(const Segment& way, PairBatch& pairs);
    void arrive(std::size_t segment, const PairBatch& pairs);
    [[nodiscard]] PairBatch check(NodeId checkpoint, PairBatch pairs);
    [[nodiscard]] torch::Tensor small(NodeId checkpoint, const PairBatch& pairs,
                                      const torch::Tensor& magnitude) const;
    void finish(const PairBatch& pairs);
    WorkCount tallies();

    /// How many standard deviations a change may have: in proportion to the image's margin. [tile]
    [[nodiscard]] torch::Tensor tau() const { return golden_.certainty * static_cast<float>(screen_->tau); }

    [[nodiscard]] PairIndex index_of(const PairBatch& pairs) const
    {
        return {pairs.image, channel_.index_select(0, pairs.fault)};
    }

    /// Count where `what` [pairs] is not zero, or add its numbers.
    void count(Column column, const torch::Tensor& fault, const torch::Tensor& what)
    {
        counts_.select(0, static_cast<std::int64_t>(column)).index_add_(0, fault, what.to(torch::kInt64));
    }

    const LibtorchEvaluator& evaluator_;
    const ChangeOperations& operations_;
    const LibtorchProgram& program_;
    const InjectableLayer& layer_;
    LayerGeometry geometry_;
    const Screen* screen_;
    const ChangeGroup& group_;
    const Tile& tile_;
    const LibtorchTile& golden_;
    std::int64_t batch_;
    std::vector<PairBatch> waiting_;  ///< by segment: fewer than a batch, to start it together
    bool any_huge_ = false;           ///< change of a weight
    torch::Tensor weight_;            ///< faulty weight's index, [faults]
    torch::Tensor element_;           ///< of the input, flat: what a weight meets, [faults]
    torch::Tensor input_;             ///< its input channel, [faults]
    torch::Tensor row_;               ///< within the kernel, [faults]
    torch::Tensor column_;            ///< within the kernel, [faults]
    torch::Tensor channel_;           ///< faulty output channel, [faults]
    torch::Tensor delta_;             ///< faulty minus golden weight, [faults]
    torch::Tensor audited_;           ///< whether to audit the pair if it is screened, [tile, faults]
    torch::Tensor screened_;          ///< at the faulty layer, [tile, faults]
    torch::Tensor counts_;            ///< [columns, faults]
    std::vector<OverflowingPair> overflowing_;
    WorkCount work_;
};

/// The group's faults as tensors on the device.
void GroupRun::upload()
{
    const std::vector<float>& weights = evaluator_.weights(layer_);
    const auto faults = static_cast<std::int64_t>(group_.count);
    const std::int64_t kernel = geometry_.conv ? geometry_.conv->kernel : 1;
    torch::Tensor numbers = torch::empty({6, faults}, torch::kInt64);
    torch::Tensor delta = torch::empty({faults}, torch::kFloat32);
    auto* number = numbers.data_ptr<std::int64_t>();
    auto* difference = delta.data_ptr<float>();
    for (std::int64_t f = 0; f < faults; ++f)
    {
        const WeightChange& change = group_.changes[f];
        const auto weight = static_cast<std::int64_t>(change.parameter);
        const std::int64_t channel = weight / geometry_.filter;
        std::int64_t element = weight % geometry_.filter;
        if (geometry_.conv)
            element += channel / (geometry_.outputs / geometry_.conv->groups) * geometry_.filter;
        number[f] = weight;
        number[faults + f] = channel;
        number[2 * faults + f] = element;
        number[3 * faults + f] = element / (kernel * kernel);
        number[4 * faults + f] = element / kernel % kernel;
        number[5 * faults + f] = element % kernel;
        difference[f] = change.value - weights[change.parameter];
        any_huge_ = any_huge_ || is_huge(difference[f]);
    }
    const torch::Tensor uploaded = evaluator_.on_device(numbers);
    weight_ = uploaded.select(0, 0);
    channel_ = uploaded.select(0, 1);
    element_ = uploaded.select(0, 2);
    input_ = uploaded.select(0, 3);
    row_ = uploaded.select(0, 4);
    column_ = uploaded.select(0, 5);
    delta_ = evaluator_.on_device(delta);
    if (screen_ != nullptr)
    {
        std::vector<char> chosen = choose_audits(evaluator_.seed(), screen_->audit_share, group_.changes,
                                                 group_.count, tile_.first, tile_.size());
        audited_ = evaluator_.on_device(
            torch::from_blob(chosen.data(), {tile_.size(), faults}, torch::kUInt8).to(torch::kBool));
    }
    counts_ =
        torch::zeros({static_cast<std::int64_t>(kColumns), faults}, numbers.options()).to(delta_.device());
}

/// reach_of() of the group's weights. [tile, faults]
torch::Tensor GroupRun::reach() const
{
    if (golden_.reach.defined()) return golden_.reach.index_select(1, geometry_.conv ? weight_ : channel_);
    const Conv2dOp& op = *geometry_.conv;
    const torch::Tensor taps = windows(golden_.input, op);
    const std::int64_t at_once = evaluator_.moves_batch(geometry_, tile_.size());
    std::vector<torch::Tensor> parts;
    for (std::int64_t first = 0; first < delta_.size(0); first += at_once)
    {
        const std::int64_t count = std::min(at_once, delta_.size(0) - first);
        const auto part = [&](const torch::Tensor& t) { return t.narrow(0, first, count); };
        const torch::Tensor met =
            taps.index({torch::indexing::Slice(), part(input_), part(row_), part(column_)}).flatten(2);
        const torch::Tensor gradients = golden_.layer_gradients.index_select(2, part(channel_));
        parts.push_back(reach_of((met.unsqueeze(1) * gradients).sum(3), golden_.margins, golden_.rest));
    }
    return torch::cat(parts, 1);
}

/// Judge all pairs at the faulty layer. \returns which ones go on, [tile, faults]
torch::Tensor GroupRun::unfinished()
{
    torch::Tensor size;    // of the change that the screen judges
    torch::Tensor masked;  // and other pairs that are done; [tile, faults]
    torch::Tensor limit;   // the largest size that changes outputs little
    torch::Tensor spread;  // [tile, faults]
    if (screen_ != nullptr)
        spread = tau().unsqueeze(1) * evaluator_.spread(layer_.node).index_select(0, channel_);
    if (geometry_.conv)
    {
        const torch::Tensor largest = golden_.largest.index_select(1, element_);
        const torch::Tensor dead = largest == 0;
        masked = (dead & torch::isfinite(delta_)) | (delta_ == 0);
        size = delta_.abs();
        // A change that is not finite is not small, even where it meets zeros only.
        if (screen_ != nullptr) limit = torch::where(dead, torch::zeros_like(largest), spread / largest);
    }
    else
    {
        size = (golden_.input.index_select(1, element_) * delta_).abs();
        masked = size == 0;
        limit = spread;
    }
    counts_.select(0, kMasked).add_(masked.sum(0));
    if (evaluator_.gains(layer_).defined())
    {
        // The longest change that provably cannot matter.
        torch::Tensor harmless =
            golden_.certain.unsqueeze(1) / evaluator_.gains(layer_).index_select(0, channel_);
        if (geometry_.conv) harmless = harmless / golden_.length.index_select(1, element_);
        const torch::Tensor proven = (size < harmless) & ~masked;
        counts_.select(0, kProven).add_(proven.sum(0));
        masked = masked | proven;
    }
    if (screen_ == nullptr) return ~masked;
    limit = torch::minimum(limit, reach() / static_cast<float>(screen_->kappa));
    const torch::Tensor screened = (size < limit) & ~masked;
    counts_.select(0, kScreened).add_(screened.sum(0));
    screened_ = screened;
    return ~masked & (~screened | audited_);
}

/// Changes of the faulty channel. [pairs, 1, H, W]
torch::Tensor GroupRun::start(const PairBatch& pairs) const
{
    const torch::Tensor delta = delta_.index_select(0, pairs.fault);
    if (!geometry_.conv)
    {
        const torch::Tensor met = golden_.input.index({pairs.image, element_.index_select(0, pairs.fault)});
        return (met * delta).view({-1, 1, 1, 1});
    }
    const Conv2dOp& op = *geometry_.conv;
    const torch::Tensor input = input_.index_select(0, pairs.fault);
    const torch::Tensor row = row_.index_select(0, pairs.fault);
    const torch::Tensor column = column_.index_select(0, pairs.fault);
    torch::Tensor change = windows(golden_.input, op).index({pairs.image, input, row, column});
    change.mul_(delta.view({-1, 1, 1}));
    return change.unsqueeze(1);
}

/// From a segment's start to its end.
void GroupRun::follow(std::size_t segment, PairBatch pairs)
{
    const Segment& way = program_.segments[segment];
    if (segment == 0) pairs.change = start(pairs);
    if (any_huge_) leave_to_reference(way, pairs);
    if (pairs.size() == 0) return;
    work_.macs += static_cast<double>(pairs.size()) * operations_.macs(program_, way);
    torch::Tensor change = std::exchange(pairs.change, torch::Tensor());
    pairs.change = operations_.run(program_, way, std::move(change), index_of(pairs), golden_.golden);
    if (segment + 1 == program_.segments.size())
        finish(pairs);
    else
        arrive(segment + 1, check(way.end(), std::move(pairs)));
}

/// Take out the pairs in which a sum of a segment may overflow.
void GroupRun::leave_to_reference(const Segment& way, PairBatch& pairs)
{
    // On a GPU a convolution may add up transformed values (Winograd's), which are some times as large.
    const float room = evaluator_.executor().device().is_cuda() ? 16.0F : 1.0F;
    const float farthest = room * static_cast<float>(evaluator_.overflow().through(way.entry, way.nodes));
    // A NaN is not safe.
    const torch::Tensor overflows = ~(pairs.change.flatten(1).abs().amax(1) < kSafeMagnitude / farthest);
    const torch::Tensor gone = overflows.nonzero().squeeze(1);
    if (gone.size(0) == 0) return;
    const torch::Tensor faults = pairs.fault.index_select(0, gone).to(torch::kCPU);
    const torch::Tensor images = pairs.image.index_select(0, gone).to(torch::kCPU);
    count(kFinished, pairs.fault, overflows);
    for (std::int64_t k = 0; k < gone.size(0); ++k)
    {
        overflowing_.push_back({static_cast<std::size_t>(faults.data_ptr<std::int64_t>()[k]),
                                images.data_ptr<std::int64_t>()[k],
                                0,
                                {}});
    }
    pairs = pairs.selected((~overflows).nonzero().squeeze(1));
}

/// Pairs at a checkpoint wait until they fill a batch.
void GroupRun::arrive(std::size_t segment, const PairBatch& pairs)
{
    if (pairs.size() == 0) return;
    PairBatch& waiting = waiting_[segment];
    waiting.append(pairs);
    while (waiting.size() >= batch_)
    {
        PairBatch batch = waiting.range(0, batch_);
        waiting = waiting.size() > batch_ ? waiting.range(batch_, waiting.size() - batch_) : PairBatch{};
        follow(segment, std::move(batch));
    }
}

/// Let go the pairs without any change, and those whose change is too small to matter from here on.
PairBatch GroupRun::check(NodeId checkpoint, PairBatch pairs)
{
    const bool alone = program_.alone[index(checkpoint)];
    const std::int64_t channels = alone ? 1 : operations_.forms()[index(checkpoint)].channels;
    // NaN stays NaN: neither zero nor small.
    const torch::Tensor magnitude = pairs.change.reshape({pairs.size(), channels, -1}).abs().amax(2);
    const torch::Tensor masked = (magnitude == 0).all(1);
    count(kMasked, pairs.fault, masked);
    torch::Tensor leaves = masked;
    if (screen_ != nullptr)
    {
        count(kAuditMasked, pairs.fault, masked & pairs.screened);
        const torch::Tensor newly = small(checkpoint, pairs, magnitude) & ~masked & ~pairs.screened;
        count(kRescreened, pairs.fault, newly);
        leaves = masked | (newly & ~audited_.index({pairs.image, pairs.fault}));
        pairs.screened = pairs.screened | newly;
    }
    const torch::Tensor left = (~leaves).nonzero().squeeze(1);
    return left.size(0) == pairs.size() ? pairs : pairs.selected(left);
}

/// Whether a change moves, to first order, no margin past zero and no value far. [pairs]
torch::Tensor GroupRun::small(NodeId checkpoint, const PairBatch& pairs, const torch::Tensor& magnitude) const
{
    const ValueForm& form = operations_.forms()[index(checkpoint)];
    const bool alone = program_.alone[index(checkpoint)];
    torch::Tensor spread = evaluator_.spread(checkpoint);
    torch::Tensor row = pairs.image;
    std::vector<std::int64_t> shape = golden_.gradients[index(checkpoint)][0].sizes().vec();
    if (alone)
    {
        const torch::Tensor channel = index_of(pairs).channel + program_.flow.shift[index(checkpoint)];
        spread = spread.index_select(0, channel).unsqueeze(1);
        row = row * form.channels + channel;
        shape = {-1, 1, form.height, form.width};
    }
    std::vector<torch::Tensor> moves;
    for (const torch::Tensor& gradient : golden_.gradients[index(checkpoint)])
    {
        moves.push_back(gradient.view(shape).index_select(0, row).mul_(pairs.change).flatten(1).sum(1));
    }
    const torch::Tensor limit = tau().index_select(0, pairs.image).unsqueeze(1) * spread;
    const torch::Tensor move = torch::stack(moves, 1).abs() * static_cast<float>(screen_->kappa);
    return (magnitude < limit).all(1) & (move < golden_.margins.index_select(0, pairs.image)).all(1) &
           (kOtherRivals * move.amax(1) < golden_.rest.index_select(0, pairs.image));
}

/// Judge the logits of pairs that came to the end, as judge() does.
void GroupRun::finish(const PairBatch& pairs)
{
    const NodeId output = evaluator_.graph().output();
    const torch::Tensor logits = golden_.logits.index_select(0, pairs.image) +
                                 operations_.dense(program_, output, pairs.change, index_of(pairs));
    const torch::Tensor golden = golden_.top1.index_select(0, pairs.image);
    const torch::Tensor label = golden_.label.index_select(0, pairs.image);
    const torch::Tensor finite = torch::isfinite(logits).all(1);
    const torch::Tensor top1 = logits.argmax(1);  // the first of equal ones
    const torch::Tensor mismatch = ~(finite & (top1 == golden));
    count(kFinished, pairs.fault, torch::ones_like(finite));
    count(kMismatches, pairs.fault, mismatch);
    count(kNonfinite, pairs.fault, ~finite);
    count(kCorrect, pairs.fault, finite & (top1 == label));
    counts_.select(0, kCorrect).index_add_(0, pairs.fault, (golden == label).to(torch::kInt64), -1);
    if (screen_ == nullptr) return;
    count(kAuditFinished, pairs.fault, pairs.screened);
    count(kDisagreements, pairs.fault, pairs.screened & mismatch);
}

/// Fetch what was counted.
WorkCount GroupRun::tallies()
{
    const torch::Tensor fetched = counts_.to(torch::kCPU);
    const auto faults = static_cast<std::int64_t>(group_.count);
    Tally golden;
    golden.evaluated = static_cast<std::uint32_t>(tile_.size());
    for (std::size_t i = 0; i < tile_.label.size(); ++i)
        golden.correct += tile_.top1[i] == tile_.label[i] ? 1U : 0U;
    for (std::int64_t f = 0; f < faults; ++f)
    {
        const auto of = [&](Column column) {
            return fetched.data_ptr<std::int64_t>()[static_cast<std::int64_t>(column) * faults + f];
        };
        Tally& tally = group_.tallies[f];
        tally += golden;
        tally.correct = static_cast<std::uint32_t>(tally.correct + of(kCorrect));
        tally.mismatches += static_cast<std::uint32_t>(of(kMismatches));
        tally.nonfinite += static_cast<std::uint32_t>(of(kNonfinite));
        ScreenTally& screen = group_.screens[f];
        screen.screened += static_cast<std::uint32_t>(of(kScreened) + of(kRescreened));
        screen.audited += static_cast<std::uint32_t>(of(kAuditMasked) + of(kAuditFinished));
        screen.disagreements += static_cast<std::uint32_t>(of(kDisagreements));
        work_.masked += static_cast<std::uint64_t>(of(kMasked));
        work_.proven += static_cast<std::uint64_t>(of(kProven));
        work_.screened += static_cast<std::uint64_t>(of(kScreened));
        work_.rescreened += static_cast<std::uint64_t>(of(kRescreened));
        work_.finished += static_cast<std::uint64_t>(of(kFinished));
        work_.audited += static_cast<std::uint64_t>(of(kAuditFinished));
    }
    work_.pairs = static_cast<std::uint64_t>(tile_.size()) * group_.count;
    return work_;
}

WorkCount GroupRun::run()
{
    upload();
    const torch::Tensor pairs = unfinished().nonzero();
    for (std::int64_t first = 0; first < pairs.size(0); first += batch_)
    {
        const torch::Tensor part = pairs.narrow(0, first, std::min(batch_, pairs.size(0) - first));
        PairBatch batch{part.select(1, 0).contiguous(), part.select(1, 1).contiguous(), {}, {}};
        batch.screened = screen_ != nullptr ? screened_.index({batch.image, batch.fault})
                                            : torch::zeros_like(batch.image, torch::kBool);
        follow(0, std::move(batch));
    }
    for (std::size_t segment = 1; segment < waiting_.size(); ++segment)
    {
        if (waiting_[segment].size() > 0) follow(segment, std::exchange(waiting_[segment], PairBatch{}));
    }
    WorkCount work = tallies();
    work.macs += tally_as_reference(evaluator_.executor(), layer_, group_, tile_, evaluator_.weights(layer_),
                                    overflowing_);
    return work;
}

WorkCount LibtorchEvaluator::evaluate(const InjectableLayer& layer, const Screen* screen,
                                      const ChangeGroup& group, const Tile& tile,
                                      const PreparedTile* prepared) const
{
    return GroupRun(*this, layer, screen, group, tile, static_cast<const LibtorchTile&>(*prepared)).run();
}

}  // namespace

std::unique_ptr<TileEvaluator> make_libtorch_evaluator(const Network& network, const Executor& executor,
                                                       const std::vector<std::vector<float>>& spread,
                                                       std::uint64_t seed, std::uint64_t work_bytes)
{
    return std::make_unique<LibtorchEvaluator>(network, executor, spread, seed, work_bytes);
}

}  // namespace flipstorm
