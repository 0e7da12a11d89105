#pragma once
// Random networks, in which values are read twice and three times, also by the same node.

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/philox.hpp"
#include "engine/network/graph.hpp"

namespace flipstorm
{

/// Classes of a random network.
constexpr std::int32_t kRandomClasses = 5;

/// Grows a graph node by node.
class RandomGraph
{
  public:
    explicit RandomGraph(std::uint64_t seed)
        : random_(seed, RandomPurpose::test, 77), graph_({2, 8 + below(3), 8 + below(3)})
    {
        layer(NodeId(0));
        for (std::int64_t k = 4 + below(6); k > 0; --k)
            grow();
        // What nobody has read joins in at the end, so that every layer matters.
        std::vector<NodeId> unread;
        for (const NodeId id : values_)
        {
            if (read_.count(id) == 0) unread.push_back(id);
        }
        NodeId at = unread[0];
        if (unread.size() > 1)
        {
            for (NodeId& id : unread)
                id = add(GlobalAvgPoolOp{}, {id});
            at = add(ConcatOp{}, unread);
        }
        at = add(FlattenOp{}, {at});
        if (below(2) == 0) at = add(ReluOp{}, {at});
        at = add(LinearOp{graph_.node(at).shape[0], 7, true}, {at});
        at = add(ReluOp{}, {at});
        if (below(2) == 0) at = add(AddOp{}, {at, at});
        add(LinearOp{graph_.node(at).shape[0], kRandomClasses, true}, {at});
    }

    Graph take() { return std::move(graph_); }

  private:
    std::int64_t below(std::int64_t end)
    {
        return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(end)));
    }

    NodeId add(Operation operation, const std::vector<NodeId>& inputs)
    {
        const NodeId id =
            graph_.add("n" + std::to_string(graph_.nodes().size()), std::move(operation), inputs);
        values_.push_back(id);
        read_.insert(inputs.begin(), inputs.end());
        return id;
    }

    /// A value computed before, mostly a late one.
    NodeId any()
    {
        const auto count = static_cast<std::int64_t>(values_.size());
        return values_[static_cast<std::size_t>(count - 1 - std::min(below(count), below(count)))];
    }

    /// One of the values of a shape; \param channels  0: any number of them
    NodeId like(const Shape& shape, std::int64_t channels)
    {
        std::vector<NodeId> fits;
        for (const NodeId id : values_)
        {
            const Shape& s = graph_.node(id).shape;
            if (s[1] == shape[1] && s[2] == shape[2] && (channels == 0 || s[0] == channels))
                fits.push_back(id);
        }
        return fits[static_cast<std::size_t>(below(static_cast<std::int64_t>(fits.size())))];
    }

    NodeId layer(NodeId from)
    {
        const Shape shape = graph_.node(from).shape;
        const std::int64_t kernel = std::min<std::int64_t>({1 + below(3), shape[1], shape[2]});
        const std::int64_t groups = shape[0] % 2 == 0 && below(3) == 0 ? 2 : 1;
        const std::int64_t stride = shape[1] > 4 && shape[2] > 4 ? 1 + below(4) / 3 : 1;
        const bool room = 2 * kernel - 1 <= std::min(shape[1], shape[2]);
        const std::int64_t dilation = room && below(3) == 0 ? 2 : 1;
        return add(Conv2dOp{shape[0], groups * (1 + below(6)), kernel, stride, below(kernel), groups,
                            below(2) == 0, dilation},
                   {from});
    }

    /// Squeeze and excite: every channel times a number between 0 and 1, which depends on all.
    void excite(NodeId from)
    {
        const std::int64_t channels = graph_.node(from).shape[0];
        NodeId at = add(GlobalAvgPoolOp{}, {from});
        at = add(Conv2dOp{channels, 3, 1, 1, 0, 1, true}, {at});
        at = add(SiluOp{}, {at});
        at = add(Conv2dOp{3, channels, 1, 1, 0, 1, true}, {at});
        at = add(SigmoidOp{}, {at});
        if (below(2) == 0)
            add(MulOp{}, {at, from});
        else
            add(MulOp{}, {from, at});
    }

    void grow()
    {
        const NodeId from = any();
        const Shape shape = graph_.node(from).shape;
        switch (below(15))
        {
            case 0:
                add(BatchNormOp{shape[0]}, {from});
                break;
            case 1:
                add(Relu6Op{}, {from});
                break;
            case 2:
                add(ReluOp{}, {from});
                break;
            case 3:
                add(AddOp{}, {from, from});
                break;
            case 4:
                add(AddOp{}, {from, like(shape, shape[0])});
                break;
            case 5:
                add(ConcatOp{}, {from, from});
                break;
            case 6:
                add(ConcatOp{}, {like(shape, 0), from, like(shape, 0), from});
                break;
            case 7:
                add(PadOp{below(3), below(3), below(2), 0, 0, below(2)}, {from});
                break;
            case 8:
                add(SliceOp{0, below(shape[0]), shape[0], 1 + below(2)}, {from});
                break;
            case 9:
                if (shape[1] > 1 && shape[2] > 1) add(MaxPool2dOp{2, 1, below(2)}, {from});
                break;
            case 10:
                add(SiluOp{}, {from});
                break;
            case 11:
                add(SigmoidOp{}, {from});
                break;
            case 12:
                add(MulOp{}, {from, like(shape, shape[0])});
                break;
            case 13:
                excite(from);
                break;
            default:
                add(ReluOp{}, {layer(from)});
                break;
        }
    }

    RandomStream random_;
    Graph graph_;
    std::vector<NodeId> values_;
    std::set<NodeId> read_;
};

}  // namespace flipstorm
