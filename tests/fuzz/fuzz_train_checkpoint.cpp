// OUT/train.checkpoint: a payload of any bytes, framed with the right CRC, held against a network.

#include "harness.hpp"
#include "jobs/stages/train_checkpoint.hpp"

namespace
{

using namespace flipstorm;

const Frame kFrame{std::string_view("\x89"
                                    "FST\r\n\x1a\n",
                                    8),
                   2, "a training checkpoint"};

Network small_network()
{
    Graph graph({4});
    graph.add("fc", LinearOp{4, 3, true}, {NodeId(0)});
    Network network{"test", NumberFormat::fp32, graph, 3, {}, {}};
    for (const ParameterSpec& spec : graph.parameters())
    {
        const auto count = static_cast<std::size_t>(elements(spec.shape));
        network.parameters.push_back({spec.name, spec.shape, std::vector<float>(count)});
    }
    return network;
}

}  // namespace

namespace flipstorm::fuzz
{

std::vector<std::string> make_seeds()
{
    TrainCheckpoint checkpoint;
    checkpoint.stage_sha256 = "this stage";
    TrainingState& state = checkpoint.state;
    state.step = 7;
    state.parameters = {std::vector<float>(12), std::vector<float>(3)};
    state.momentum = state.parameters;
    state.curve = {{1, 2.5, 0.25, 0.1, 3.5}};
    expect(misfit(state, small_network(), 5, 2).empty(), "the seed to fit");
    const std::string file = encode_checkpoint(checkpoint);
    return {std::string(payload_of(kFrame, file))};
}

}  // namespace flipstorm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    return fuzz::accept_errors([&] {
        static const Network network = small_network();
        const TrainCheckpoint read = decode_checkpoint(framed(kFrame, fuzz::text_of(data, size)));
        static_cast<void>(misfit(read.state, network, 5, 2));
    });
}
