// The native backend on the CPU: what a fault changes is followed through the graph image by image, as the
// difference from the golden values. One channel changes at the faulty layer and goes alone through what
// keeps channels apart; behind the next convolution or linear layer, which reads one changed input channel
// only, all channels may. A pair leaves as soon as its change is exactly zero, or, where it is screened, too
// small to first order to matter.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/evaluate/audit.hpp"
#include "engine/evaluate/certificate.hpp"
#include "engine/evaluate/golden_pass.hpp"
#include "engine/evaluate/native_program.hpp"
#include "engine/evaluate/overflow_bound.hpp"
#include "engine/evaluate/results_revision.hpp"
#include "engine/evaluate/tile_evaluator.hpp"

namespace flipstorm
{
namespace
{

/// A tensor of floats with room to read a vector past its end.
torch::Tensor with_slack(std::int64_t floats)
{
    torch::Tensor tensor = torch::empty({floats + kLanes}, torch::kFloat32);
    tensor.narrow(0, floats, kLanes).zero_();
    return tensor;
}

/// Golden values and gradients in the kernels' layouts.
struct NativeTile : PreparedTile
{
    std::vector<torch::Tensor> maps;            ///< by node: [tile][C][pixels]
    std::vector<torch::Tensor> slots;           ///< by node: [tile][pixels][padded C]
    std::vector<torch::Tensor> gradient_maps;   ///< by node: [tile][rivals][C][pixels]
    std::vector<torch::Tensor> gradient_slots;  ///< by node: [tile][rivals][pixels][padded C]
    SuffixGolden suffix;                        ///< for what may overflow
    torch::Tensor logits;
    std::int64_t rivals = 0;
    std::vector<float> margins;
    std::vector<float> rest;
    std::vector<float> certain;
    std::uint64_t size = 0;

    [[nodiscard]] std::uint64_t bytes() const override { return size; }
};

/// A (fault, image) pair on its way.
struct Slot
{
    std::uint32_t fault = 0;   ///< in its group
    std::int64_t channel = 0;  ///< faulty output channel
    bool audited = false;      ///< goes on to the logits even when it is screened
    bool screened = false;     ///< the screen would have let it go
    bool huge = false;         ///< its sums are watched
    bool overflows = false;    ///< or may: left to tally_as_reference()
    std::vector<float>
        at_restart;  ///< of a huge one: its change at NativeProgram::restart, once it was there
};

/// Work space of one thread for one layer.
struct Workspace
{
    std::vector<std::vector<float>> buffers;  ///< by buffer: [batch][floats]
    std::vector<float> frames;                ///< [batch][frame floats]
    std::vector<float> map;
    std::vector<Slot> slots;
    std::vector<std::ptrdiff_t> quads;
    std::vector<float> limit;         ///< per channel: changes below are small
    std::vector<float> neuron_limit;  ///< per neuron of the faulty layer; negative: not known yet
    std::vector<float> block;         ///< outputs of one block
    std::vector<float> logits;
};

class NativeEvaluator : public TileEvaluator
{
  public:
    NativeEvaluator(const Network& network, const Executor& executor, std::vector<std::vector<float>> spread,
                    std::uint64_t seed)
        : kernels_(native_kernels()),
          network_(native_network(network, kernels_)),
          executor_(executor),
          overflow_(network),
          spread_(std::move(spread)),
          seed_(seed)
    {
        LogitGains gains(network);
        for (const InjectableLayer& layer : injectable_layers(network))
        {
            programs_.push_back(native_program(network_, layer.node));
            weights_.push_back(network.parameters[layer.weight].values());
            gains_.push_back(spread_.empty() || layer.node == network.graph.output()
                                 ? gains.of_layer(programs_.back().flow, layer.node)
                                 : std::vector<double>{});
        }
    }

    [[nodiscard]] std::size_t group_size() const override { return kGroup; }

    [[nodiscard]] TileMemory memory(const InjectableLayer& layer, std::int64_t tile_images) const override;

    [[nodiscard]] std::unique_ptr<PreparedTile> prepare(const InjectableLayer& layer, const Tile& tile,
                                                        bool screened) const override;

    WorkCount evaluate(const InjectableLayer& layer, const Screen* screen, const ChangeGroup& group,
                       const Tile& tile, const PreparedTile* prepared) const override;

    [[nodiscard]] const NativeProgram& program(const InjectableLayer& layer) const
    {
        return programs_[static_cast<std::size_t>(layer.id.value())];
    }

    [[nodiscard]] const std::vector<float>& weights(const InjectableLayer& layer) const
    {
        return weights_[static_cast<std::size_t>(layer.id.value())];
    }

    /// By channel: see LogitGains.
    [[nodiscard]] const std::vector<double>& gains(const InjectableLayer& layer) const
    {
        return gains_[static_cast<std::size_t>(layer.id.value())];
    }

    [[nodiscard]] const NativeNetwork& network() const { return network_; }
    [[nodiscard]] const Kernels& kernels() const { return kernels_; }
    [[nodiscard]] const Executor& executor() const { return executor_; }
    [[nodiscard]] const OverflowBound& overflow() const { return overflow_; }
    [[nodiscard]] const std::vector<float>& spread(NodeId id) const { return spread_[index(id)]; }
    [[nodiscard]] std::uint64_t seed() const { return seed_; }

  private:
    static constexpr std::size_t kGroup = 256;

    /// Values [tile, …] as maps, [tile][values][C][pixels].
    [[nodiscard]] torch::Tensor as_maps(const std::vector<torch::Tensor>& values) const
    {
        const std::int64_t images = values[0].size(0);
        const std::int64_t map = values[0].numel() / images;
        const auto count = static_cast<std::int64_t>(values.size());
        torch::Tensor maps = with_slack(images * count * map);
        const torch::Tensor rows = maps.narrow(0, 0, images * count * map).view({images, count, map});
        for (std::int64_t k = 0; k < count; ++k)
            rows.select(1, k).copy_(values[static_cast<std::size_t>(k)].reshape({images, map}));
        return maps;
    }

    /// Values [tile, …] as slots, [tile][values][pixels][padded C].
    [[nodiscard]] torch::Tensor as_slots(const std::vector<torch::Tensor>& values, NodeId id) const
    {
        const ValueForm& form = network_.form[index(id)];
        const std::int64_t images = values[0].size(0);
        const auto count = static_cast<std::int64_t>(values.size());
        const std::vector<std::int64_t> shape{images, count, form.pixels(), padded(form.channels)};
        torch::Tensor slots = form.channels == padded(form.channels) ? torch::empty(shape, torch::kFloat32)
                                                                     : torch::zeros(shape, torch::kFloat32);
        for (std::int64_t k = 0; k < count; ++k)
        {
            slots.select(1, k)
                .narrow(2, 0, form.channels)
                .copy_(values[static_cast<std::size_t>(k)]
                           .reshape({images, form.channels, form.pixels()})
                           .permute({0, 2, 1}));
        }
        return slots;
    }

    const Kernels& kernels_;
    NativeNetwork network_;
    Executor executor_;
    OverflowBound overflow_;
    std::vector<std::vector<float>> spread_;
    std::uint64_t seed_;
    std::vector<NativeProgram> programs_;     ///< by layer id
    std::vector<SharedValues> weights_;       ///< golden, by layer id
    std::vector<std::vector<double>> gains_;  ///< by layer id; empty where there is a screen
};

std::unique_ptr<PreparedTile> NativeEvaluator::prepare(const InjectableLayer& layer, const Tile& tile,
                                                       bool screened) const
{
    const NativeProgram& plan = program(layer);
    const Graph& graph = network_.graph;
    const NodeId input = graph.node(layer.node).inputs[0];
    GoldenRequest request;
    request.layer = layer.node;
    request.values = plan.golden_maps;
    request.values.insert(request.values.end(), plan.golden_slots.begin(), plan.golden_slots.end());
    request.values.push_back(input);
    const std::vector<NodeId> starts = suffix_starts(graph, plan.flow, layer.node);
    request.values.insert(request.values.end(), starts.begin(), starts.end());
    request.values.push_back(plan.restart);
    if (screened)
    {
        request.gradients.push_back(layer.node);
        for (const NativeStep& step : plan.steps)
        {
            if (step.checkpoint) request.gradients.push_back(step.node);
        }
    }
    GoldenPass pass = golden_pass(executor_, tile.images, request);
    const torch::NoGradGuard no_gradients;
    auto prepared = std::make_unique<NativeTile>();
    const std::size_t count = graph.nodes().size();
    prepared->maps.resize(count);
    prepared->slots.resize(count);
    prepared->gradient_maps.resize(count);
    prepared->gradient_slots.resize(count);
    std::vector<NodeId> maps = plan.golden_maps;
    maps.push_back(input);
    const auto hold = [&](const torch::Tensor& tensor) {
        prepared->size += static_cast<std::uint64_t>(tensor.numel()) * sizeof(float);
        return tensor;
    };
    for (const NodeId id : maps)
        prepared->maps[index(id)] = hold(as_maps({pass.values[index(id)]}));
    for (const NodeId id : plan.golden_slots)
        prepared->slots[index(id)] = hold(as_slots({pass.values[index(id)]}, id));
    const auto view_of = [&](NodeId id, std::vector<std::int64_t> shape) {
        shape.insert(shape.begin(), tile.size());
        return prepared->maps[index(id)]
            .narrow(0, 0, tile.size() * elements(graph.node(id).shape))
            .view(shape);
    };
    SuffixGolden& suffix = prepared->suffix;
    suffix.input = view_of(input, graph.node(input).shape);
    suffix.values.resize(count);
    for (const NodeId id : starts)
        suffix.values[index(id)] = hold(pass.values[index(id)]);
    suffix.restart = plan.restart;
    if (plan.restart != layer.node)
    {
        const Node& node = graph.node(plan.restart);
        suffix.held = std::holds_alternative<MaxPool2dOp>(node.operation) ? plan.restart : node.inputs[0];
        const ValueForm& form = network_.form[index(suffix.held)];
        suffix.map = view_of(suffix.held, {form.channels, form.height, form.width});
        suffix.restart_strides = pass.values[index(plan.restart)].strides().vec();
    }
    pass.values.clear();
    prepared->logits = pass.logits;
    prepared->rivals = pass.rivals;
    prepared->margins = std::move(pass.margins);
    prepared->rest = std::move(pass.rest);
    prepared->certain = std::move(pass.certain);
    for (const NodeId id : request.gradients)
    {
        std::vector<torch::Tensor>& gradients = pass.gradients[index(id)];
        if (plan.flow.extent[index(id)] == Extent::channel)
            prepared->gradient_maps[index(id)] = hold(as_maps(gradients));
        else
            prepared->gradient_slots[index(id)] = hold(as_slots(gradients, id));
        gradients.clear();
    }
    return prepared;
}

TileMemory NativeEvaluator::memory(const InjectableLayer& layer, std::int64_t tile_images) const
{
    const NativeProgram& plan = program(layer);
    const NodeId input = network_.graph.node(layer.node).inputs[0];
    const auto slot_of = [&](NodeId id) { return network_.form[index(id)].slot(); };
    const auto map_of = [&](NodeId id) {
        return network_.form[index(id)].channels * network_.form[index(id)].pixels();
    };
    std::int64_t floats = map_of(input);
    for (const NodeId id : plan.golden_maps)
        floats += map_of(id);
    for (const NodeId id : plan.golden_slots)
        floats += slot_of(id);
    for (const NodeId id : suffix_starts(network_.graph, plan.flow, layer.node))
        floats += elements(network_.graph.node(id).shape);
    std::int64_t transient = floats;
    if (!spread_.empty())
    {
        std::int64_t gradients = map_of(layer.node);
        for (const NativeStep& step : plan.steps)
        {
            if (step.checkpoint)
                gradients += step.extent == Extent::channel ? map_of(step.node) : slot_of(step.node);
        }
        gradients *= rivals_of(network_.graph, layer.node);
        floats += gradients;
        // What automatic differentiation keeps of every node, and the gradients before they are laid out
        // anew.
        transient += gradients;
        for (const NodeId id : plan.flow.nodes)
            transient += map_of(id);
    }
    else
    {
        transient += live_elements(network_.graph, NodeId(0));
    }
    TileMemory memory;
    memory.prepared = static_cast<std::uint64_t>(floats * tile_images) * sizeof(float);
    memory.preparing = static_cast<std::uint64_t>(transient * tile_images) * sizeof(float);
    memory.work = plan.work_bytes();
    return memory;
}

/// Follows a group's changes of one layer on one tile.
class GroupRun
{
  public:
    GroupRun(const NativeEvaluator& evaluator, const InjectableLayer& layer, const Screen* screen,
             const ChangeGroup& group, const Tile& tile, const NativeTile& golden, Workspace& space)
        : network_(evaluator.network()),
          graph_(network_.graph),
          kernels_(evaluator.kernels()),
          evaluator_(evaluator),
          plan_(evaluator.program(layer)),
          layer_(layer),
          screen_(screen != nullptr && std::isfinite(screen->kappa) && golden.rivals > 0 ? screen : nullptr),
          group_(group),
          tile_(tile),
          golden_(golden),
          space_(space)
    {}

    WorkCount run();

  private:
    void neurons();
    void filters(const Conv2dOp& op);
    void shifted_input(const Conv2dOp& op, std::int64_t output, std::int64_t element);
    float small_change(std::int64_t channel, const float* gradient, std::ptrdiff_t step, const float* map,
                       std::int64_t pixels, float largest) const;
    void start(std::size_t fault, std::int64_t channel, bool screened);
    void leave_to_reference(std::size_t fault, std::int64_t channel, std::vector<float> at_restart);
    void remember_restart(const NativeStep& step);
    void watch(const NativeStep& step);
    void flush();
    void compute(const NativeStep& step);
    void product(const NativeStep& step);
    void convolution_of_slots(const NativeStep& step, const ConvGeometry& geometry);
    void convolution_of_maps(const NativeStep& step, const ConvGeometry& geometry);
    void linear_of_slots(const NativeStep& step);
    void linear_of_maps(const NativeStep& step);
    void write_block(const PackedLayer& layer, const WeightBlock& block, ProductRow row, float* out,
                     std::int64_t out_step);
    void batch_norm(const NativeStep& step);
    void relu(const NativeStep& step, float ceiling);
    void max_pool(const NativeStep& step, const MaxPool2dOp& op);
    void mean_pool(const NativeStep& step, std::int64_t kernel, std::int64_t stride);
    void global_mean(const NativeStep& step);
    void add(const NativeStep& step);
    void rearrange(const NativeStep& step);
    void drop_masked(const NativeStep& step, const std::vector<char>& left);
    void check(const NativeStep& step);
    void keep(std::int32_t buffer, std::int64_t floats, const std::vector<char>& stays);
    void finish();

    [[nodiscard]] const ValueForm& form(NodeId id) const { return network_.form[index(id)]; }
    [[nodiscard]] float* at(std::int32_t buffer, std::size_t slot)
    {
        return space_.buffers[static_cast<std::size_t>(buffer)].data() +
               static_cast<std::int64_t>(slot) * floats_of(buffer);
    }
    [[nodiscard]] std::int64_t floats_of(std::int32_t buffer) const
    {
        return plan_.buffer_floats[static_cast<std::size_t>(buffer)];
    }
    [[nodiscard]] std::int64_t channel_at(NodeId id, const Slot& slot) const
    {
        return slot.channel + plan_.flow.shift[index(id)];
    }
    [[nodiscard]] const float* golden_map(NodeId id, std::int64_t channel) const
    {
        const ValueForm& f = form(id);
        return golden_.maps[index(id)].data_ptr<float>() + (image_ * f.channels + channel) * f.pixels();
    }
    [[nodiscard]] const float* golden_slot(NodeId id) const
    {
        return golden_.slots[index(id)].data_ptr<float>() + image_ * form(id).slot();
    }

    /// The Euclidean length below which a change of a channel cannot matter on this image; 0 if unknown.
    [[nodiscard]] float harmless_length(std::int64_t channel) const
    {
        const std::vector<double>& gains = evaluator_.gains(layer_);
        if (gains.empty()) return 0;
        return golden_.certain[static_cast<std::size_t>(image_)] /
               static_cast<float>(gains[static_cast<std::size_t>(channel)]);
    }

    /// How many standard deviations a change may have on this image: in proportion to the image's margin.
    [[nodiscard]] float tau() const
    {
        return static_cast<float>(screen_->tau) * tile_.certainty[static_cast<std::size_t>(image_)];
    }

    /// Whether first-order moves of the margins, [rivals], are harmless.
    [[nodiscard]] bool harmless(const float* moves) const
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

    const NativeNetwork& network_;
    const Graph& graph_;
    const Kernels& kernels_;
    const NativeEvaluator& evaluator_;
    const NativeProgram& plan_;
    const InjectableLayer& layer_;
    const Screen* screen_;
    const ChangeGroup& group_;
    const Tile& tile_;
    const NativeTile& golden_;
    Workspace& space_;
    WorkCount work_;
    float kappa_ = 0;
    std::int64_t image_ = 0;
    std::vector<std::size_t> order_;  ///< of the group's faults: by parameter
    std::vector<float> delta_;        ///< faulty minus golden weight, by fault of the group
    std::vector<char> audited_;       ///< [tile][faults]
    std::vector<char> flags_;         ///< by slot
    bool any_huge_ = false;           ///< among the slots
    std::vector<OverflowingPair> overflowing_;
};

WorkCount GroupRun::run()
{
    if (screen_ != nullptr) kappa_ = static_cast<float>(screen_->kappa);
    audited_ = choose_audits(evaluator_.seed(), screen_ != nullptr ? screen_->audit_share : 0, group_.changes,
                             group_.count, tile_.first, tile_.size());
    const std::vector<float>& weights = evaluator_.weights(layer_);
    delta_.resize(group_.count);
    order_.resize(group_.count);
    for (std::size_t f = 0; f < group_.count; ++f)
    {
        delta_[f] = group_.changes[f].value - weights[group_.changes[f].parameter];
        order_[f] = f;
    }
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
        return group_.changes[a].parameter < group_.changes[b].parameter;
    });
    work_.pairs = static_cast<std::uint64_t>(tile_.size()) * group_.count;
    // As if nothing changed; what changes is tallied when it is known.
    Tally golden;
    golden.evaluated = static_cast<std::uint32_t>(tile_.size());
    for (std::size_t i = 0; i < tile_.label.size(); ++i)
        golden.correct += tile_.top1[i] == tile_.label[i] ? 1U : 0U;
    for (std::size_t f = 0; f < group_.count; ++f)
        group_.tallies[f] += golden;
    const auto* conv = std::get_if<Conv2dOp>(&graph_.node(layer_.node).operation);
    for (image_ = 0; image_ < tile_.size(); ++image_)
    {
        if (conv != nullptr)
            filters(*conv);
        else
            neurons();
        flush();
    }
    work_.macs += tally_as_reference(evaluator_.executor(), layer_, group_, tile_, weights, overflowing_,
                                     &golden_.suffix);
    return work_;
}

/**
 * The size below which a weight's change is screened on this image: to first order, kappa times it moves no
 * margin past zero, and it changes no output by tau standard deviations.
 *
 * \param map      what a unit change of the weight adds to the outputs, [pixels]
 * \param largest  its largest magnitude
 */
float GroupRun::small_change(std::int64_t channel, const float* gradient, std::ptrdiff_t step,
                             const float* map, std::int64_t pixels, float largest) const
{
    std::array<float, kNeuronRivals> moves{};
    kernels_.dots(map, gradient, step, golden_.rivals, pixels, moves.data());
    const float* margin = golden_.margins.data() + image_ * golden_.rivals;
    float most = 0;
    float limit = tau() * evaluator_.spread(layer_.node)[static_cast<std::size_t>(channel)] / largest;
    for (std::int64_t k = 0; k < golden_.rivals; ++k)
    {
        const float move = kappa_ * std::fabs(moves[static_cast<std::size_t>(k)]);
        limit = std::min(limit, margin[k] / move);
        most = std::max(most, move);
    }
    return std::min(limit, golden_.rest[static_cast<std::size_t>(image_)] / (kOtherRivals * most));
}

/// A linear layer: a weight changes one neuron by itself times one input.
void GroupRun::neurons()
{
    const ValueForm& out = form(layer_.node);
    const std::int64_t inputs = static_cast<std::int64_t>(layer_.weights) / layer_.out_channels;
    const float* in =
        golden_.maps[index(graph_.node(layer_.node).inputs[0])].data_ptr<float>() + image_ * inputs;
    space_.neuron_limit.assign(static_cast<std::size_t>(out.channels), -1.0F);
    for (const std::size_t f : order_)
    {
        const auto parameter = static_cast<std::int64_t>(group_.changes[f].parameter);
        const std::int64_t neuron = parameter / inputs;
        const float change = delta_[f] * in[parameter % inputs];
        if (change == 0)
        {
            ++work_.masked;
            continue;
        }
        if (std::fabs(change) < harmless_length(neuron))
        {
            ++work_.proven;
            continue;
        }
        if (is_huge(delta_[f]) && !(std::fabs(change) < kSafeMagnitude))
        {
            leave_to_reference(f, neuron, {});
            continue;
        }
        bool screened = false;
        if (screen_ != nullptr)
        {
            float& limit = space_.neuron_limit[static_cast<std::size_t>(neuron)];
            if (limit < 0)
            {
                const std::array<float, kLanes> one{1};
                limit = small_change(neuron,
                                     golden_.gradient_maps[index(layer_.node)].data_ptr<float>() +
                                         image_ * golden_.rivals * out.channels + neuron,
                                     out.channels, one.data(), 1, 1);
            }
            screened = std::fabs(change) < limit;
        }
        if (screened)
        {
            ++work_.screened;
            ++group_.screens[f].screened;
            if (audited_[static_cast<std::size_t>(image_) * group_.count + f] == 0) continue;
        }
        start(f, neuron, screened);
        float* map = at(plan_.first_buffer, space_.slots.size() - 1);
        std::fill_n(map, kLanes, 0.0F);
        map[0] = change;
        if (space_.slots.size() == static_cast<std::size_t>(plan_.batch)) flush();
    }
}

/// What a weight of a convolution is multiplied by, output by output; zero where that lies in the padding.
void GroupRun::shifted_input(const Conv2dOp& op, std::int64_t output, std::int64_t element)
{
    const NodeId input = graph_.node(layer_.node).inputs[0];
    const ValueForm& in = form(input);
    const ValueForm& out = form(layer_.node);
    const std::int64_t channel = output / (op.out_channels / op.groups) * (op.in_channels / op.groups) +
                                 element / (op.kernel * op.kernel);
    const float* from = golden_map(input, channel);
    const std::int64_t dy = element / op.kernel % op.kernel - op.padding;
    const std::int64_t dx = element % op.kernel - op.padding;
    space_.map.resize(static_cast<std::size_t>(out.map() + kLanes));
    // Columns whose input lies within the map: 0 ≤ x·stride + dx < width.
    const std::int64_t x0 = dx >= 0 ? 0 : (-dx + op.stride - 1) / op.stride;
    const std::int64_t x1 = std::min(out.width, (in.width - dx + op.stride - 1) / op.stride);
    if (op.padding == 0 && op.stride == 1 && out.width <= kLanes)
    {
        // Whole vectors: what is written past a row's end is written again by the next one.
        for (std::int64_t y = 0; y < out.height; ++y)
            std::memcpy(space_.map.data() + y * out.width, from + (y + dy) * in.width + dx,
                        kLanes * sizeof(float));
        std::fill_n(space_.map.data() + out.pixels(), kLanes, 0.0F);
        return;
    }
    std::fill(space_.map.begin(), space_.map.end(), 0.0F);
    for (std::int64_t y = 0; y < out.height; ++y)
    {
        const std::int64_t row = y * op.stride + dy;
        if (row < 0 || row >= in.height || x1 <= x0) continue;
        const float* source = from + row * in.width + dx;
        float* to = space_.map.data() + y * out.width;
        if (op.stride == 1)
            std::memcpy(to + x0, source + x0, static_cast<std::size_t>(x1 - x0) * sizeof(float));
        else
        {
            for (std::int64_t x = x0; x < x1; ++x)
                to[x] = source[x * op.stride];
        }
    }
}

/// A convolution: a weight changes one channel, by itself times a shifted input channel.
void GroupRun::filters(const Conv2dOp& op)
{
    const ValueForm& out = form(layer_.node);
    const std::int64_t inputs = static_cast<std::int64_t>(layer_.weights) / layer_.out_channels;
    const std::int64_t pixels = out.pixels();
    constexpr std::uint64_t kNone = ~std::uint64_t{0};
    std::uint64_t known = kNone;
    bool dead = false;
    float limit = 0;
    float proven = 0;
    float largest = 0;
    for (const std::size_t f : order_)
    {
        const std::uint64_t parameter = group_.changes[f].parameter;
        const std::int64_t channel = static_cast<std::int64_t>(parameter) / inputs;
        if (parameter != known)
        {
            known = parameter;
            proven = 0;
            shifted_input(op, channel, static_cast<std::int64_t>(parameter) % inputs);
            largest = kernels_.largest(space_.map.data(), pixels);
            dead = !(largest > 0);
            const float length = harmless_length(channel);
            if (length > 0 && !dead)
            {
                float square = 0;
                kernels_.dots(space_.map.data(), space_.map.data(), 0, 1, pixels, &square);
                proven = length / std::sqrt(square);
            }
            if (screen_ != nullptr && !dead)
            {
                limit = small_change(channel,
                                     golden_.gradient_maps[index(layer_.node)].data_ptr<float>() +
                                         (image_ * golden_.rivals * out.channels + channel) * pixels,
                                     out.channels * pixels, space_.map.data(), pixels, largest);
            }
        }
        const float delta = delta_[f];
        if (delta == 0 || (dead && std::isfinite(delta)))
        {
            ++work_.masked;
            continue;
        }
        if (std::fabs(delta) < proven)
        {
            ++work_.proven;
            continue;
        }
        if (is_huge(delta) && !(std::fabs(delta) * largest < kSafeMagnitude))
        {
            leave_to_reference(f, channel, {});
            continue;
        }
        const bool screened = screen_ != nullptr && !dead && std::fabs(delta) < limit;
        if (screened)
        {
            ++work_.screened;
            ++group_.screens[f].screened;
            if (audited_[static_cast<std::size_t>(image_) * group_.count + f] == 0) continue;
        }
        start(f, channel, screened);
        float* map = at(plan_.first_buffer, space_.slots.size() - 1);
        kernels_.multiply(space_.map.data(), delta, map, out.map());
        if (space_.slots.size() == static_cast<std::size_t>(plan_.batch)) flush();
    }
}

void GroupRun::start(std::size_t fault, std::int64_t channel, bool screened)
{
    Slot slot;
    slot.fault = static_cast<std::uint32_t>(fault);
    slot.channel = channel;
    slot.audited = audited_[static_cast<std::size_t>(image_) * group_.count + fault] != 0;
    slot.screened = screened;
    slot.huge = is_huge(delta_[fault]);
    any_huge_ = any_huge_ || slot.huge;
    space_.slots.push_back(slot);
}

/// A pair in which a sum may overflow, on the present image.
void GroupRun::leave_to_reference(std::size_t fault, std::int64_t channel, std::vector<float> at_restart)
{
    overflowing_.push_back(
        {fault, image_, channel + plan_.flow.shift[index(plan_.restart)], std::move(at_restart)});
    ++work_.finished;
}

/// Keep the changes of huge slots from where they may have to be started anew.
void GroupRun::remember_restart(const NativeStep& step)
{
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        if (!space_.slots[s].huge) continue;
        const float* const change = at(step.buffer, s);
        space_.slots[s].at_restart.assign(change, change + form(step.node).pixels());
    }
}

/// Find the slots whose sums may overflow in a step; what is computed of them from here on is not used.
void GroupRun::watch(const NativeStep& step)
{
    const OverflowBound& bound = evaluator_.overflow();
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        Slot& slot = space_.slots[s];
        if (!slot.huge || slot.overflows) continue;
        double farthest = 0;
        for (const ChangedInput& input : step.inputs)
        {
            const bool whole = input.extent == Extent::everything;
            const float size = kernels_.largest(at(input.buffer, s),
                                                whole ? form(input.node).slot() : form(input.node).pixels());
            farthest =
                std::max(farthest, static_cast<double>(size) *
                                       (whole ? bound.of_whole(step.node)
                                              : bound.of_channel(step.node, channel_at(input.node, slot))));
        }
        if (farthest < static_cast<double>(kSafeMagnitude)) continue;
        slot.overflows = true;
        leave_to_reference(slot.fault, slot.channel, std::move(slot.at_restart));
    }
}

/// Follow the slots to the logits.
void GroupRun::flush()
{
    for (const NativeStep& step : plan_.steps)
    {
        if (space_.slots.empty()) break;
        if (!step.renamed)
        {
            if (any_huge_) watch(step);
            compute(step);
            if (any_huge_ && step.node == plan_.restart) remember_restart(step);
        }
        if (step.checkpoint && screen_ != nullptr) check(step);
    }
    finish();
    space_.slots.clear();
    any_huge_ = false;
}

void GroupRun::compute(const NativeStep& step)
{
    const Operation& operation = graph_.node(step.node).operation;
    if (std::holds_alternative<Conv2dOp>(operation) || std::holds_alternative<LinearOp>(operation))
        product(step);
    else if (std::holds_alternative<BatchNormOp>(operation))
        batch_norm(step);
    else if (std::holds_alternative<ReluOp>(operation))
        relu(step, std::numeric_limits<float>::infinity());
    else if (std::holds_alternative<Relu6Op>(operation))
        relu(step, 6);
    else if (const auto* pool = std::get_if<MaxPool2dOp>(&operation))
        max_pool(step, *pool);
    else if (const auto* mean = std::get_if<AvgPool2dOp>(&operation))
        mean_pool(step, mean->kernel, mean->stride);
    else if (std::holds_alternative<GlobalAvgPoolOp>(operation))
        global_mean(step);
    else if (std::holds_alternative<AddOp>(operation))
        add(step);
    else
        rearrange(step);
}

void GroupRun::product(const NativeStep& step)
{
    const PackedLayer& layer = network_.packed[index(step.node)];
    const bool one = step.inputs[0].extent == Extent::channel;
    const std::int64_t outputs = one ? layer.group_outputs : layer.group_outputs * layer.groups;
    work_.macs +=
        static_cast<double>(space_.slots.size()) *
        static_cast<double>(form(step.node).pixels() * layer.taps * outputs * (one ? 1 : layer.group_inputs));
    if (std::holds_alternative<LinearOp>(graph_.node(step.node).operation))
    {
        if (one)
            linear_of_maps(step);
        else
            linear_of_slots(step);
    }
    else if (one)
        convolution_of_maps(step, network_.geometry[index(step.node)]);
    else
        convolution_of_slots(step, network_.geometry[index(step.node)]);
}

/// Compute a block's outputs for the pixels of `row` into out + first output; groups that are not whole
/// vectors go through a copy, or they would overwrite their neighbours.
void GroupRun::write_block(const PackedLayer& layer, const WeightBlock& block, ProductRow row, float* out,
                           std::int64_t out_step)
{
    row.taps = layer.taps;
    if (layer.whole_vectors)
    {
        row.out = out + block.first_output;
        row.out_step = out_step;
        kernels_.product(row, block.vectors);
        return;
    }
    const std::int64_t width = block.vectors * kLanes;
    space_.block.resize(std::max(space_.block.size(), static_cast<std::size_t>(row.pixels * width)));
    row.out = space_.block.data();
    row.out_step = width;
    kernels_.product(row, block.vectors);
    for (std::int64_t p = 0; p < row.pixels; ++p)
    {
        std::memcpy(out + p * out_step + block.first_output, row.out + p * width,
                    static_cast<std::size_t>(block.outputs) * sizeof(float));
    }
}

void GroupRun::convolution_of_slots(const NativeStep& step, const ConvGeometry& geometry)
{
    const PackedLayer& layer = network_.packed[index(step.node)];
    const ValueForm& in = form(step.inputs[0].node);
    const ValueForm& out = form(step.node);
    const std::int64_t channels = padded(in.channels);
    const std::size_t slots = space_.slots.size();
    const std::int64_t frame = geometry.frame;
    const std::int64_t row_floats = in.width * channels;
    const std::int64_t framed_row = geometry.framed_width * channels;
    for (std::size_t s = 0; frame > 0 && s < slots; ++s)
    {
        const float* from = at(step.inputs[0].buffer, s);
        float* to = space_.frames.data() + static_cast<std::int64_t>(s) * plan_.frame_floats;
        std::fill_n(to, frame * framed_row, 0.0F);
        for (std::int64_t y = 0; y < in.height; ++y)
        {
            float* row = to + (y + frame) * framed_row;
            std::fill_n(row, frame * channels, 0.0F);
            std::memcpy(row + frame * channels, from + y * row_floats,
                        static_cast<std::size_t>(row_floats) * sizeof(float));
            std::fill_n(row + frame * channels + row_floats, frame * channels, 0.0F);
        }
        std::fill_n(to + (frame + in.height) * framed_row, frame * framed_row, 0.0F);
    }
    ProductRow row;
    row.quad_offset = geometry.quads_slot.data();
    row.pixel_step = std::get<Conv2dOp>(graph_.node(step.node).operation).stride * channels;
    row.tap_offset = geometry.taps_slot.data();
    row.channels = layer.group_inputs;
    row.pixels = geometry.pixels_per_call;
    const std::int64_t calls = out.pixels() / geometry.pixels_per_call;
    for (const WeightBlock& block : layer.blocks)
    {
        row.weights = layer.weights.data() + block.offset;
        row.tap_weights = layer.group_inputs * block.vectors * kLanes;
        for (std::size_t s = 0; s < slots; ++s)
        {
            const float* base = frame > 0
                                    ? space_.frames.data() + static_cast<std::int64_t>(s) * plan_.frame_floats
                                    : at(step.inputs[0].buffer, s);
            for (std::int64_t call = 0; call < calls; ++call)
            {
                row.in = base + call * geometry.call_step_slot + block.group * layer.group_inputs;
                write_block(layer, block, row,
                            at(step.buffer, s) + call * geometry.pixels_per_call * padded(out.channels),
                            padded(out.channels));
            }
        }
    }
}

void GroupRun::convolution_of_maps(const NativeStep& step, const ConvGeometry& geometry)
{
    const PackedLayer& layer = network_.packed[index(step.node)];
    const ValueForm& in = form(step.inputs[0].node);
    const ValueForm& out = form(step.node);
    const std::int64_t frame = geometry.frame;
    const std::int64_t calls = out.pixels() / geometry.pixels_per_call;
    ProductRow row;
    row.quad_offset = geometry.quads_map.data();
    row.pixel_step = std::get<Conv2dOp>(graph_.node(step.node).operation).stride;
    row.tap_offset = geometry.taps_map.data();
    row.channels = 1;
    row.pixels = geometry.pixels_per_call;
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        const float* base = at(step.inputs[0].buffer, s);
        if (frame > 0)
        {
            float* to = space_.frames.data();
            std::fill_n(to, geometry.framed_height * geometry.framed_width, 0.0F);
            for (std::int64_t y = 0; y < in.height; ++y)
            {
                std::memcpy(to + (y + frame) * geometry.framed_width + frame, base + y * in.width,
                            static_cast<std::size_t>(in.width) * sizeof(float));
            }
            base = to;
        }
        const std::int64_t channel = channel_at(step.inputs[0].node, space_.slots[s]);
        const std::int64_t group = channel / layer.group_inputs;
        float* to = at(step.buffer, s);
        if (layer.groups > 1) std::fill_n(to, out.slot(), 0.0F);
        for (const WeightBlock& block : layer.blocks)
        {
            if (block.group != group) continue;
            row.weights =
                layer.weights.data() + block.offset + channel % layer.group_inputs * block.vectors * kLanes;
            row.tap_weights = layer.group_inputs * block.vectors * kLanes;
            for (std::int64_t call = 0; call < calls; ++call)
            {
                row.in = base + call * geometry.call_step_map;
                write_block(layer, block, row, to + call * geometry.pixels_per_call * padded(out.channels),
                            padded(out.channels));
            }
        }
    }
}

void GroupRun::linear_of_slots(const NativeStep& step)
{
    const PackedLayer& layer = network_.packed[index(step.node)];
    const std::int64_t in_step = floats_of(step.inputs[0].buffer);
    const auto slots = static_cast<std::int64_t>(space_.slots.size());
    space_.quads.clear();
    for (std::int64_t s = 0; s < slots; s += 4)
        space_.quads.push_back(s * in_step);
    ProductRow row;
    row.in = at(step.inputs[0].buffer, 0);
    row.quad_offset = space_.quads.data();
    row.pixel_step = in_step;
    row.tap_offset = network_.geometry[index(step.node)].taps_slot.data();
    row.channels = layer.group_inputs;
    row.pixels = slots;
    for (const WeightBlock& block : layer.blocks)
    {
        row.weights = layer.weights.data() + block.offset;
        row.tap_weights = layer.group_inputs * block.vectors * kLanes;
        write_block(layer, block, row, at(step.buffer, 0), floats_of(step.buffer));
    }
}

void GroupRun::linear_of_maps(const NativeStep& step)
{
    const PackedLayer& layer = network_.packed[index(step.node)];
    const std::ptrdiff_t zero = 0;
    ProductRow row;
    row.quad_offset = &zero;
    row.tap_offset = network_.geometry[index(step.node)].taps_map.data();
    row.channels = 1;
    row.pixels = 1;
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        row.in = at(step.inputs[0].buffer, s);
        const std::int64_t channel = channel_at(step.inputs[0].node, space_.slots[s]);
        for (const WeightBlock& block : layer.blocks)
        {
            row.weights = layer.weights.data() + block.offset + channel * block.vectors * kLanes;
            row.tap_weights = layer.group_inputs * block.vectors * kLanes;
            write_block(layer, block, row, at(step.buffer, s), 0);
        }
    }
}

void GroupRun::batch_norm(const NativeStep& step)
{
    const ValueForm& f = form(step.node);
    const std::vector<float>& scale = network_.scale[index(step.node)];
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        const float* from = at(step.inputs[0].buffer, s);
        float* to = at(step.buffer, s);
        if (step.extent == Extent::everything)
        {
            kernels_.scale(from, scale.data(), to, f.pixels(), padded(f.channels));
            continue;
        }
        const float factor = scale[static_cast<std::size_t>(channel_at(step.node, space_.slots[s]))];
        kernels_.multiply(from, factor, to, f.map());
    }
}

void GroupRun::relu(const NativeStep& step, float ceiling)
{
    const NodeId input = step.inputs[0].node;
    flags_.resize(space_.slots.size());
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        const bool all = step.extent == Extent::everything;
        const float* golden =
            all ? golden_slot(input) : golden_map(input, channel_at(input, space_.slots[s]));
        flags_[s] = static_cast<char>(kernels_.relu(golden, at(step.inputs[0].buffer, s), at(step.buffer, s),
                                                    all ? form(input).slot() : form(input).map(), ceiling));
    }
    drop_masked(step, flags_);
}

void GroupRun::max_pool(const NativeStep& step, const MaxPool2dOp& op)
{
    const NodeId input = step.inputs[0].node;
    const ValueForm& in = form(input);
    const ValueForm& out = form(step.node);
    const PoolWindow window{in.height,           in.width,  out.height, out.width,
                            padded(in.channels), op.kernel, op.stride,  op.padding};
    space_.block.resize(
        std::max(space_.block.size(), static_cast<std::size_t>(padded(in.width) + 2 * kLanes)));
    flags_.resize(space_.slots.size());
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        const float* from = at(step.inputs[0].buffer, s);
        float* to = at(step.buffer, s);
        if (step.extent == Extent::everything)
        {
            kernels_.max_pool(window, golden_slot(input), from, golden_slot(step.node), to);
            flags_[s] = static_cast<char>(kernels_.any(to, out.slot()));
            continue;
        }
        const std::int64_t channel = channel_at(step.node, space_.slots[s]);
        kernels_.map_pool(window, golden_map(input, channel), from, golden_map(step.node, channel),
                          space_.block.data(), to);
        std::fill(to + out.pixels(), to + out.map(), 0.0F);
        flags_[s] = static_cast<char>(kernels_.any(to, out.pixels()));
    }
    drop_masked(step, flags_);
}

void GroupRun::mean_pool(const NativeStep& step, std::int64_t kernel, std::int64_t stride)
{
    const ValueForm& in = form(step.inputs[0].node);
    const ValueForm& out = form(step.node);
    const std::int64_t channels = step.extent == Extent::everything ? padded(in.channels) : 1;
    const float factor = 1.0F / static_cast<float>(kernel * kernel);
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        const float* from = at(step.inputs[0].buffer, s);
        float* to = at(step.buffer, s);
        std::fill_n(to, step.extent == Extent::everything ? out.slot() : out.map(), 0.0F);
        for (std::int64_t y = 0; y < out.height; ++y)
        {
            for (std::int64_t x = 0; x < out.width; ++x)
            {
                float* mean = to + (y * out.width + x) * channels;
                for (std::int64_t k = 0; k < kernel * kernel; ++k)
                {
                    const float* value =
                        from + ((y * stride + k / kernel) * in.width + x * stride + k % kernel) * channels;
                    for (std::int64_t c = 0; c < channels; ++c)
                        mean[c] += value[c];
                }
                for (std::int64_t c = 0; c < channels; ++c)
                    mean[c] *= factor;
            }
        }
    }
}

void GroupRun::global_mean(const NativeStep& step)
{
    const ValueForm& in = form(step.inputs[0].node);
    const std::int64_t channels = step.extent == Extent::everything ? padded(in.channels) : 1;
    const float factor = 1.0F / static_cast<float>(in.pixels());
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        const float* from = at(step.inputs[0].buffer, s);
        float* to = at(step.buffer, s);
        std::fill_n(to, padded(channels), 0.0F);
        for (std::int64_t p = 0; p < in.pixels(); ++p)
        {
            for (std::int64_t c = 0; c < channels; ++c)
                to[c] += from[p * channels + c];
        }
        for (std::int64_t c = 0; c < channels; ++c)
            to[c] *= factor;
    }
}

void GroupRun::add(const NativeStep& step)
{
    const ValueForm& f = form(step.node);
    const bool all = step.extent == Extent::everything;
    const std::int64_t channels = padded(f.channels);
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        float* to = at(step.buffer, s);
        const bool alike = step.inputs[0].extent == step.extent && step.inputs[1].extent == step.extent;
        if (alike)
        {
            kernels_.add(at(step.inputs[0].buffer, s), at(step.inputs[1].buffer, s), to,
                         all ? f.slot() : f.map());
            continue;
        }
        // One of them, or both, is one channel of many.
        const float* first = at(step.inputs[0].buffer, s);
        if (step.inputs[0].extent == Extent::everything)
        {
            if (first != to) std::memcpy(to, first, static_cast<std::size_t>(f.slot()) * sizeof(float));
        }
        else
        {
            std::fill_n(to, f.slot(), 0.0F);
            const std::int64_t channel = channel_at(step.inputs[0].node, space_.slots[s]);
            for (std::int64_t p = 0; p < f.pixels(); ++p)
                to[p * channels + channel] = first[p];
        }
        const float* second = at(step.inputs[1].buffer, s);
        const std::int64_t channel = channel_at(step.inputs[1].node, space_.slots[s]);
        for (std::int64_t p = 0; p < f.pixels(); ++p)
            to[p * channels + channel] += second[p];
    }
}

/// Pads, slices and concatenations: the inputs' elements in other places, zeros between them.
void GroupRun::rearrange(const NativeStep& step)
{
    const Node& node = graph_.node(step.node);
    const ValueForm& out = form(step.node);
    const bool all = step.extent == Extent::everything;
    const std::int64_t out_channels = all ? padded(out.channels) : 1;
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        float* to = at(step.buffer, s);
        std::fill_n(to, all ? out.slot() : out.map(), 0.0F);
        for (const ChangedInput& input : step.inputs)
        {
            const ValueForm& in = form(input.node);
            const bool whole = input.extent == Extent::everything;
            const std::int64_t in_channels = whole ? padded(in.channels) : 1;
            const float* from = at(input.buffer, s);
            // Element (c, y, x) of the input goes to (c + dc, y + dy, x + dx), or, of a slice, to where its
            // step leaves it.
            std::int64_t dc = 0;
            std::int64_t dy = 0;
            std::int64_t dx = 0;
            SliceOp slice{0, 0, in.channels, 1};
            if (const auto* pad = std::get_if<PadOp>(&node.operation))
            {
                dc = pad->channels_before;
                dy = pad->top;
                dx = pad->left;
            }
            else if (const auto* cut = std::get_if<SliceOp>(&node.operation))
                slice = *cut;
            else
            {
                for (std::size_t k = 0; k < input.position; ++k)
                    dc += form(node.inputs[k]).channels;
            }
            const std::array<std::int64_t, 3> size{in.channels, in.height, in.width};
            std::array<std::int64_t, 3> first{0, 0, 0};
            std::array<std::int64_t, 3> end = size;
            std::array<std::int64_t, 3> stride{1, 1, 1};
            const auto d = static_cast<std::size_t>(slice.dimension);
            first[d] = slice.start;
            end[d] = slice.end;
            stride[d] = slice.step;
            const std::int64_t only = whole ? -1 : channel_at(input.node, space_.slots[s]);
            for (std::int64_t y = first[1]; y < end[1]; y += stride[1])
            {
                for (std::int64_t x = first[2]; x < end[2]; x += stride[2])
                {
                    const float* source = from + (y * in.width + x) * in_channels;
                    float* target = to + (((y - first[1]) / stride[1] + dy) * out.width +
                                          (x - first[2]) / stride[2] + dx) *
                                             out_channels;
                    if (!all)
                    {
                        *target = *source;
                        continue;
                    }
                    if (whole && stride[0] == 1)
                    {
                        std::copy(source + first[0], source + end[0], target + dc);
                        continue;
                    }
                    for (std::int64_t c = first[0]; c < end[0]; c += stride[0])
                    {
                        if (!whole && c != only) continue;
                        target[(c - first[0]) / stride[0] + dc] = source[whole ? c : 0];
                    }
                }
            }
        }
    }
}

/// Let go the slots without any change, where nothing else of them is alive.
void GroupRun::drop_masked(const NativeStep& step, const std::vector<char>& left)
{
    if (!step.cut) return;
    std::size_t masked = 0;
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
        masked += left[s] == 0 ? 1U : 0U;
    if (masked == 0) return;
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        if (left[s] != 0 || space_.slots[s].overflows) continue;
        ++work_.masked;
        if (space_.slots[s].screened) ++group_.screens[space_.slots[s].fault].audited;
    }
    const ValueForm& f = form(step.node);
    keep(step.buffer, step.extent == Extent::channel ? f.map() : f.slot(), left);
}

/// Let go the slots whose change is too small to matter, to first order from here on.
void GroupRun::check(const NativeStep& step)
{
    const ValueForm& f = form(step.node);
    const bool all = step.extent == Extent::everything;
    const std::vector<float>& spread = evaluator_.spread(step.node);
    const float limit = tau();
    if (all)
    {
        space_.limit.assign(static_cast<std::size_t>(padded(f.channels)),
                            std::numeric_limits<float>::infinity());
        for (std::size_t c = 0; c < spread.size(); ++c)
            space_.limit[c] = limit * spread[c];
    }
    flags_.assign(space_.slots.size(), 1);
    bool any = false;
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        Slot& slot = space_.slots[s];
        if (slot.screened || slot.overflows) continue;
        const float* change = at(step.buffer, s);
        std::array<float, kNeuronRivals> moves{};
        if (all)
        {
            if (!kernels_.within(change, space_.limit.data(), f.pixels(), padded(f.channels))) continue;
            kernels_.dots(change,
                          golden_.gradient_slots[index(step.node)].data_ptr<float>() +
                              image_ * golden_.rivals * f.slot(),
                          f.slot(), golden_.rivals, f.slot(), moves.data());
        }
        else
        {
            const std::int64_t channel = channel_at(step.node, slot);
            if (!(kernels_.largest(change, f.pixels()) < limit * spread[static_cast<std::size_t>(channel)]))
                continue;
            kernels_.dots(change,
                          golden_.gradient_maps[index(step.node)].data_ptr<float>() +
                              (image_ * golden_.rivals * f.channels + channel) * f.pixels(),
                          f.channels * f.pixels(), golden_.rivals, f.pixels(), moves.data());
        }
        if (!harmless(moves.data())) continue;
        ++work_.rescreened;
        ++group_.screens[slot.fault].screened;
        slot.screened = true;
        if (slot.audited) continue;
        flags_[s] = 0;
        any = true;
    }
    if (any) keep(step.buffer, all ? f.slot() : f.map(), flags_);
}

/// Close the gaps that slots leave; only `buffer` is alive.
void GroupRun::keep(std::int32_t buffer, std::int64_t floats, const std::vector<char>& stays)
{
    std::size_t to = 0;
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        if (stays[s] == 0) continue;
        if (to != s)
        {
            std::memcpy(at(buffer, to), at(buffer, s), static_cast<std::size_t>(floats) * sizeof(float));
            space_.slots[to] = std::move(space_.slots[s]);
        }
        ++to;
    }
    space_.slots.resize(to);
}

/// Judge the logits of the slots that are left.
void GroupRun::finish()
{
    const NodeId output = graph_.output();
    const bool all = plan_.flow.extent[index(output)] == Extent::everything;
    const std::int64_t classes = golden_.logits.size(1);
    const float* golden = golden_.logits.data_ptr<float>() + image_ * classes;
    const std::int32_t buffer = plan_.steps.empty() ? plan_.first_buffer : plan_.steps.back().buffer;
    const std::int32_t label = tile_.label[static_cast<std::size_t>(image_)];
    const std::int32_t top1 = tile_.top1[static_cast<std::size_t>(image_)];
    space_.logits.resize(static_cast<std::size_t>(classes));
    float* logits = space_.logits.data();
    for (std::size_t s = 0; s < space_.slots.size(); ++s)
    {
        const Slot& slot = space_.slots[s];
        if (slot.overflows) continue;
        const float* change = at(buffer, s);
        std::copy_n(golden, classes, logits);
        if (all)
        {
            for (std::int64_t c = 0; c < classes; ++c)
                logits[c] += change[c];
        }
        else
            logits[channel_at(output, slot)] += change[0];
        const Tally judged = judge(logits, classes, label, top1);
        ++work_.finished;
        if (slot.screened)
        {
            ++work_.audited;
            ++group_.screens[slot.fault].audited;
            group_.screens[slot.fault].disagreements += judged.mismatches;
        }
        if (judged.mismatches == 0) continue;
        tally_change(group_.tallies[slot.fault], judged, top1 == label);
    }
}

WorkCount NativeEvaluator::evaluate(const InjectableLayer& layer, const Screen* screen,
                                    const ChangeGroup& group, const Tile& tile,
                                    const PreparedTile* prepared) const
{
    const NativeProgram& plan = program(layer);
    thread_local Workspace space;
    space.buffers.resize(plan.buffer_floats.size());
    for (std::size_t b = 0; b < plan.buffer_floats.size(); ++b)
        space.buffers[b].resize(static_cast<std::size_t>(plan.batch * plan.buffer_floats[b] + kLanes));
    space.frames.resize(static_cast<std::size_t>(plan.batch * plan.frame_floats + kLanes));
    space.slots.clear();
    return GroupRun(*this, layer, screen, group, tile, static_cast<const NativeTile&>(*prepared), space)
        .run();
}

}  // namespace

std::unique_ptr<TileEvaluator> make_native_evaluator(const Network& network, const Executor& executor,
                                                     std::vector<std::vector<float>> spread,
                                                     std::uint64_t seed)
{
    return std::make_unique<NativeEvaluator>(network, executor, std::move(spread), seed);
}

}  // namespace flipstorm
