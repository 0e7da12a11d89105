#include "engine/compute/cpu/replay_network.hpp"

#include <algorithm>

#include "engine/compute/cpu/value_box.hpp"

namespace flipstorm
{

ReplayNetwork::ReplayNetwork(const Network& network)
    : kernels_(native_kernels()), native_(native_network(network, kernels_)), overflow_(network)
{
    const std::vector<Node>& nodes = native_.graph.nodes();
    places_.resize(nodes.size());
    taps_.resize(nodes.size());
    for (const Node& node : nodes)
    {
        // Of all operations, only these read zeros beyond the edge.
        if (!is_product(node.operation)) continue;
        const WindowGrid windows = windows_of(node, native_.form(node.inputs[0]));
        std::int64_t& frame = places_[index(node.inputs[0])].frame;
        frame = std::max({frame, windows.rows.padding, windows.columns.padding});
    }
    for (std::size_t i = 0; i < nodes.size(); ++i)
    {
        const Node& node = nodes[i];
        Place& place = places_[i];
        if (std::holds_alternative<FlattenOp>(node.operation))
        {
            place = places_[index(node.inputs[0])];
            continue;
        }
        const PaddedForm& form = native_.nodes[i].form;
        place.channels = padded(form.channels);
        place.row_floats = (form.width + 2 * place.frame) * place.channels;
        place.offset = floats_;
        floats_ += (form.height + 2 * place.frame) * place.row_floats;
    }
    for (std::size_t i = 0; i < nodes.size(); ++i)
    {
        if (!is_product(nodes[i].operation)) continue;
        const NodeId input = nodes[i].inputs[0];
        const Place& from = places_[index(input)];
        const WindowGrid windows = windows_of(nodes[i], native_.form(input));
        for (std::int64_t y = 0; y < windows.rows.kernel; ++y)
        {
            for (std::int64_t x = 0; x < windows.columns.kernel; ++x)
            {
                taps_[i].push_back(y * windows.rows.dilation * from.row_floats +
                                   x * windows.columns.dilation * from.channels);
            }
        }
    }
}

}  // namespace flipstorm
