#include "engine/compute/cpu/native_program.hpp"

#include <algorithm>

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{
namespace
{

CpuTraits traits_of(const Node& node)
{
    return std::visit([](const auto& op) { return cpu_traits(op); }, node.operation);
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
            if (traits_of(node).any_order && step.extent == Extent::everything)
            {
                std::stable_partition(step.inputs.begin(), step.inputs.end(), [](const ChangedInput& input) {
                    return input.extent == Extent::everything;
                });
            }
            step.renamed =
                std::visit([&](const auto& op) { return renames_on_cpu(op, step); }, node.operation);
            step.product = is_bilinear(node.operation);
            step.cut = program_.flow.cut[index(id)] && is_nonlinear(node.operation);
            step.checkpoint =
                std::count(program_.flow.checkpoints.begin(), program_.flow.checkpoints.end(), id) > 0;
            program_.steps.push_back(step);
        }
    }

    [[nodiscard]] std::int64_t floats(NodeId id) const
    {
        const PaddedForm& form = network_.form(id);
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
            const bool over = !step.renamed && traits_of(graph_.node(step.node)).in_place &&
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
            const CpuTraits traits = traits_of(graph_.node(step.node));
            if (traits.reads_golden_input) need(step.inputs[0].node, step.inputs[0].extent);
            if (traits.reads_golden_output) need(step.node, step.extent);
            if (!traits.reads_all_golden) continue;
            for (const NodeId input : graph_.node(step.node).inputs)
                need(input, step.extent);
        }
    }

    void find_restart(NodeId layer)
    {
        program_.restart = layer;
        for (const NativeStep& step : program_.steps)
        {
            const Operation& operation = graph_.node(step.node).operation;
            if (step.extent != Extent::channel || is_product(operation)) return;
            // It is started from what one other value holds.
            const bool one_input = graph_.node(step.node).inputs.size() == 1;
            if (one_input && is_nonlinear(operation) && program_.flow.cut[index(step.node)])
                program_.restart = step.node;
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
                std::max(most_weights, static_cast<std::int64_t>(network_.nodes[at].packed.weights.size()));
            const ConvGeometry& geometry = network_.nodes[at].geometry;
            if (geometry.frame == 0) continue;
            const std::int64_t channels = step.inputs[0].extent == Extent::channel
                                              ? 1
                                              : padded(network_.form(step.inputs[0].node).channels);
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
