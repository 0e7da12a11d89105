// model.h5 with edits, see hdf5_edits.hpp, and its graph.

#include "engine/network/graph_json.hpp"
#include "hdf5_edits.hpp"
#include "sample_records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    static const fuzz::GoodFile good([](const std::filesystem::path& file) {
        ModelRecord model = sample_model();
        model.graph = R"([{"name": "input", "op": "input", "inputs": [], "shape": [1, 28, 28]}])";
        write_model(file, model);
    });
    return good.read_with_edits(
        data, size, [](const auto& file) { static_cast<void>(graph_from_json(read_model(file).graph)); });
}
