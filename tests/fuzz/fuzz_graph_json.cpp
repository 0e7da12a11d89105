// The JSON of a network's graph, as model.h5 holds it; what is accepted is the same when it is written and
// read again.

#include "engine/network/graph_json.hpp"
#include "engine/network/network.hpp"
#include "harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    return fuzz::accept_errors([&] {
        const Graph graph = graph_from_json(fuzz::text_of(data, size));
        const std::string written = to_json(graph);
        fuzz::expect(to_json(graph_from_json(written)) == written, "the graph to be the same");
        static_cast<void>(graph.parameters());
        static_cast<void>(all_elements(graph));
        static_cast<void>(live_elements(graph, NodeId(0)));
        for (std::int32_t id = 0; id <= graph.output().value(); ++id)
            static_cast<void>(graph.macs(NodeId(id)));
    });
}
