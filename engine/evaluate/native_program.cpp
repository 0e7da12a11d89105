#include "engine/evaluate/native_program.hpp"

#include <algorithm>

namespace flipstorm
{
namespace
{

/// Whether the step only gives the change of an input another name.
bool renames(const Node& node, const NativeStep& step)
{
    if (std::holds_alternative<FlattenOp>(node.operation)) return true;
    if (std::holds_alternative<AddOp>(node.operation)) return step.inputs.size() == 1;
    if (step.extent != Extent::channel) return false;
    if (std::holds_alternative<ConcatOp>(node.operation)) return true;
    const auto* pad = std::get_if<PadOp>(&node.operation);
    return pad != nullptr && pad->top == 0 && pad->bottom == 0 && pad->left == 0 && pad->right == 0;
}

/// Whether the output may overwrite the input element by element.
bool works_in_place(const Operation& operation)
{
    return std::holds_alternative<BatchNormOp>(operation) || std::holds_alternative<ReluOp>(operation) ||
           std::holds_alternative<Relu6Op>(operation) || std::holds_alternative<AddOp>(operation);
}

/// Gives buffers to values and takes them back when the last reader is done.
class BufferPool
{
  public:
    explicit BufferPool(std::vector<std::int64_t>& floats) : floats_(floats) {}

    std::int32_t take(std::int64_t floats)
    {
        if (free_.empty())
        {
            floats_.push_back(floats);
            return static_cast<std::int32_t>(floats_.size()) - 1;
        }
        // The free buffer whose size fits best: the smallest that is large enough, else the largest.
        const auto better = [&](std::int32_t a, std::int32_t b) {
            const std::int64_t fa = floats_[static_cast<std::size_t>(a)];
            const std::int64_t fb = floats_[static_cast<std::size_t>(b)];
            if ((fa >= floats) != (fb >= floats)) return fa >= floats;
            return fa >= floats ? fa < fb : fa > fb;
        };
        const auto best = std::min_element(free_.begin(), free_.end(), better);
        const std::int32_t buffer = *best;
        free_.erase(best);
        std::int64_t& size = floats_[static_cast<std::size_t>(buffer)];
        size = std::max(size, floats);
        return buffer;
    }

    void give_back(std::int32_t buffer) { free_.push_back(buffer); }

  private:
    std::vector<std::int64_t>& floats_;
    std::vector<std::int32_t> free_;
};

class ProgramBuilder
{
  public:
    ProgramBuilder(const NativeNetwork& network, NodeId layer) : network_(network), graph_(network.graph)
    {
        program_.flow = change_flow(graph_, layer);
        add_steps();
        assign_buffers(layer);
        list_golden();
        choose_batch();
        find_restart(layer);
    }

    NativeProgram take() { return std::move(program_); }

  private:
    [[nodiscard]] Extent extent(NodeId id) const { return program_.flow.extent[index(id)]; }

    void add_steps()
    {
        for (const NodeId id : program_.flow.nodes)
        {
            const Node& node = graph_.node(id);
            NativeStep step;
            step.node = id;
            step.extent = extent(id);
            for (std::size_t k = 0; k < node.inputs.size(); ++k)
            {
                const NodeId input = node.inputs[k];
                if (extent(input) != Extent::none) step.inputs.push_back({input, k, extent(input), -1});
            }
            if (std::holds_alternative<AddOp>(node.operation) && step.extent == Extent::everything)
            {
                std::stable_partition(step.inputs.begin(), step.inputs.end(), [](const ChangedInput& input) {
                    return input.extent == Extent::everything;
                });
            }
            step.renamed = renames(node, step);
            step.cut = program_.flow.cut[index(id)] && is_nonlinear(node.operation);
            step.checkpoint =
                std::count(program_.flow.checkpoints.begin(), program_.flow.checkpoints.end(), id) > 0;
            program_.steps.push_back(step);
        }
    }

    [[nodiscard]] std::int64_t floats(NodeId id) const
    {
        const ValueForm& form = network_.form[index(id)];
        return extent(id) == Extent::channel ? form.map() : form.slot();
    }

    void assign_buffers(NodeId layer)
    {
        const std::size_t count = graph_.nodes().size();
        std::vector<NodeId> root(count);
        root[index(layer)] = layer;
        std::vector<std::size_t> last_use(count, 0);
        for (const NativeStep& step : program_.steps)
        {
            root[index(step.node)] = step.renamed ? root[index(step.inputs[0].node)] : step.node;
            for (const NodeId input : graph_.node(step.node).inputs)
            {
                if (extent(input) != Extent::none) last_use[index(root[index(input)])] = index(step.node);
            }
        }
        last_use[index(root[index(graph_.output())])] = count;
        BufferPool pool(program_.buffer_floats);
        std::vector<std::int32_t> buffer(count, -1);
        buffer[index(layer)] = program_.first_buffer = pool.take(floats(layer));
        for (NativeStep& step : program_.steps)
        {
            const std::size_t at = index(step.node);
            const std::size_t in = index(root[index(step.inputs[0].node)]);
            for (ChangedInput& input : step.inputs)
                input.buffer = buffer[index(root[index(input.node)])];
            const bool over = !step.renamed && works_in_place(graph_.node(step.node).operation) &&
                              step.inputs[0].extent == step.extent && last_use[in] == at;
            if (step.renamed || over)
                step.buffer = step.inputs[0].buffer;
            else
                step.buffer = pool.take(floats(step.node));
            if (!step.renamed) buffer[at] = step.buffer;
            // What nobody reads any more is free, except what was overwritten or renamed.
            for (std::size_t k = 0; k < step.inputs.size(); ++k)
            {
                const std::int32_t read = step.inputs[k].buffer;
                const bool seen =
                    std::any_of(step.inputs.begin(), step.inputs.begin() + static_cast<std::ptrdiff_t>(k),
                                [&](const ChangedInput& input) { return input.buffer == read; });
                if (!seen && read != step.buffer && last_use[index(root[index(step.inputs[k].node)])] == at)
                    pool.give_back(read);
            }
        }
    }

    void need(NodeId id, Extent extent_of_change)
    {
        std::vector<NodeId>& list =
            extent_of_change == Extent::channel ? program_.golden_maps : program_.golden_slots;
        if (std::count(list.begin(), list.end(), id) == 0) list.push_back(id);
    }

    void list_golden()
    {
        for (const NativeStep& step : program_.steps)
        {
            const Operation& operation = graph_.node(step.node).operation;
            if (!is_nonlinear(operation)) continue;
            need(step.inputs[0].node, step.inputs[0].extent);
            if (std::holds_alternative<MaxPool2dOp>(operation)) need(step.node, step.extent);
        }
    }

    void find_restart(NodeId layer)
    {
        program_.restart = layer;
        for (const NativeStep& step : program_.steps)
        {
            const Operation& operation = graph_.node(step.node).operation;
            if (step.extent != Extent::channel || is_product(operation)) return;
            if (is_nonlinear(operation) && program_.flow.cut[index(step.node)]) program_.restart = step.node;
        }
    }

    void choose_batch()
    {
        std::int64_t largest_slot = kLanes;
        std::int64_t most_weights = 0;
        for (const std::int64_t size : program_.buffer_floats)
            largest_slot = std::max(largest_slot, size);
        for (const NativeStep& step : program_.steps)
        {
            const std::size_t at = index(step.node);
            most_weights =
                std::max(most_weights, static_cast<std::int64_t>(network_.packed[at].weights.size()));
            if (!std::holds_alternative<Conv2dOp>(graph_.node(step.node).operation)) continue;
            const ConvGeometry& geometry = network_.geometry[at];
            if (geometry.frame == 0) continue;
            const std::int64_t channels = step.inputs[0].extent == Extent::channel
                                              ? 1
                                              : padded(network_.form[index(step.inputs[0].node)].channels);
            program_.frame_floats =
                std::max(program_.frame_floats,
                         padded(geometry.framed_height * geometry.framed_width * channels) + kLanes);
        }
        // The buffers of a batch stay in a core's second-level cache; where the weights do not, more slots
        // share each pass over them.
        constexpr std::int64_t kCacheFloats = std::int64_t{1} << 18;
        const std::int64_t at_least = most_weights > kCacheFloats ? 16 : 4;
        program_.batch = std::clamp<std::int64_t>(kCacheFloats / (4 * largest_slot), at_least, 64);
    }

    const NativeNetwork& network_;
    const Graph& graph_;
    NativeProgram program_;
};

}  // namespace

std::uint64_t NativeProgram::work_bytes() const
{
    std::int64_t floats = frame_floats;
    for (const std::int64_t size : buffer_floats)
        floats += size + kLanes;
    return static_cast<std::uint64_t>(floats * batch) * sizeof(float);
}

NativeProgram native_program(const NativeNetwork& network, NodeId layer)
{
    return ProgramBuilder(network, layer).take();
}

}  // namespace flipstorm
