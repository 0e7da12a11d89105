#pragma once
// Follows a TorchScript module with unknown images and everything else known: what is left is its graph.
// Internal to the import; this header brings in LibTorch.

#include <torch/csrc/jit/api/module.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "engine/network/import/torchscript/torchscript_call.hpp"
#include "engine/network/import/torchscript/torchscript_graph.hpp"

namespace flipstorm::torchscript
{

/**
 * Partial evaluation of TorchScript.
 *
 * Operations on known values are run by LibTorch, branches and loops are taken as the known values say, calls
 * are followed, and operations on tensors of the network add to its graph.
 */
class Interpreter
{
  public:
    explicit Interpreter(GraphBuilder& graph) : graph_(&graph) {}

    /// Node of the module's output. \throws DataError, as Call::refuse.
    NodeId run(const torch::jit::Module& module);

  private:
    using Values = std::unordered_map<const torch::jit::Value*, Abstract>;

    std::vector<Abstract> run_function(torch::jit::Function& function, std::vector<Abstract> arguments,
                                       const Frame& frame, const Call* call);
    void run_block(const torch::jit::Block& block, Values& values, const Frame& frame);
    std::vector<Abstract> run_node(const torch::jit::Node& node, Values& values, const Frame& frame);
    std::vector<Abstract> run_branch(const Call& call, Values& values);
    void run_loop(const Call& call, Values& values);
    std::vector<Abstract> run_call(const Call& call);
    std::vector<Abstract> run_operation(const Call& call);

    GraphBuilder* graph_;
};

}  // namespace flipstorm::torchscript
