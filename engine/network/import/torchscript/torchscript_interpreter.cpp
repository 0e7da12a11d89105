#include "engine/network/import/torchscript/torchscript_interpreter.hpp"

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <optional>

#include "engine/network/import/torchscript/torchscript_known.hpp"
#include "engine/network/import/torchscript/torchscript_language.hpp"
#include "engine/network/import/torchscript/torchscript_operations.hpp"

namespace flipstorm::torchscript
{
namespace
{

/// Iterations after which a loop is taken for endless.
constexpr std::int64_t kLongestLoop = 100'000;

bool has_submodules(const c10::ivalue::Object& object)
{
    for (std::size_t i = 0; i < object.type()->numAttributes(); ++i)
    {
        if (is_module(object.getSlot(i))) return true;
    }
    return false;
}

/// Whether a value is a tensor of the network or holds one.
bool has_tensor(const Abstract& value)
{
    if (std::holds_alternative<TensorRef>(value)) return true;
    const auto* sequence = std::get_if<SequenceRef>(&value);
    return sequence != nullptr &&
           std::any_of((*sequence)->elements.begin(), (*sequence)->elements.end(), has_tensor);
}

/// The only input that a method needs, beside the module and what has a default.
std::vector<Abstract> arguments_of(const torch::jit::Method& method, Known module, TensorRef image)
{
    const std::vector<c10::Argument>& wanted = method.function().getSchema().arguments();
    std::vector<Abstract> arguments = {std::move(module)};
    std::vector<std::string> open;
    for (std::size_t i = 1; i < wanted.size(); ++i)
    {
        if (i > 1 && wanted[i].default_value())
        {
            arguments.emplace_back(Known{*wanted[i].default_value()});
            continue;
        }
        open.push_back(wanted[i].name());
        arguments.emplace_back(image);
    }
    std::string names;
    for (const std::string& name : open)
        names += (names.empty() ? "" : ", ") + name;
    FS_CHECK(DataError, open.size() == 1,
             "its forward takes {} inputs ({}); flipstorm wants one, a batch of images", open.size(), names);
    const c10::TypePtr& type = wanted[1].type();
    const bool tensor =
        type->isSubtypeOf(*c10::TensorType::get()) || c10::TensorType::get()->isSubtypeOf(*type);
    FS_CHECK(DataError, tensor,
             "its forward takes '{}' of type {}; flipstorm wants a tensor, a batch of images",
             wanted[1].name(), type->annotation_str());
    return arguments;
}

}  // namespace

NodeId Interpreter::run(const torch::jit::Module& module)
{
    const auto method = module.find_method("forward");
    FS_CHECK(DataError, method, "it has no method 'forward'");
    FS_CHECK(DataError,
             module.type()->getForwardHooks().empty() && module.type()->getForwardPreHooks().empty(),
             "it has a forward hook, which LibTorch leaves out; put what the hook does into forward");
    Known object{module._ivalue()};
    const Frame frame{"", !has_submodules(*module._ivalue()), nullptr, nullptr};
    const std::vector<Abstract> results = run_function(
        method->function(), arguments_of(*method, std::move(object), graph_->input()), frame, nullptr);
    const auto* output = results.size() == 1 ? std::get_if<TensorRef>(&results.front()) : nullptr;
    if (output == nullptr)
    {
        const std::string found = results.size() == 1 ? to_text(results.front()) : "several values";
        throw DataError("its forward returns {}; flipstorm wants one tensor, the logits", found);
    }
    const auto& graph = torch::jit::toGraphFunction(method->function()).graph();
    const Call returned(*graph->return_node(), results, frame);
    return graph_->node_of(returned, *output);
}

std::vector<Abstract> Interpreter::run_function(torch::jit::Function& function,
                                                std::vector<Abstract> arguments, const Frame& frame,
                                                const Call* call)
{
    if (!function.isGraphFunction())
    {
        if (call != nullptr) call->refuse("it calls what is not TorchScript: " + function.name());
        throw DataError("its forward is not TorchScript");
    }
    function.ensure_defined();
    const auto graph = torch::jit::toGraphFunction(function).graph();
    Values values;
    FS_REQUIRE(graph->inputs().size() == arguments.size(), "import: {} arguments for {} inputs of {}",
               arguments.size(), graph->inputs().size(), function.name());
    for (std::size_t i = 0; i < arguments.size(); ++i)
        values[graph->inputs()[i]] = std::move(arguments[i]);
    run_block(*graph->block(), values, frame);
    std::vector<Abstract> results;
    for (const torch::jit::Value* output : graph->outputs())
        results.push_back(values.at(output));
    return results;
}

void Interpreter::run_block(const torch::jit::Block& block, Values& values, const Frame& frame)
{
    for (const torch::jit::Node* node : block.nodes())
    {
        std::vector<Abstract> results = run_node(*node, values, frame);
        if (node->kind() == c10::prim::Loop) continue;  // it has set its outputs
        FS_REQUIRE(results.size() == node->outputs().size(), "import: {} has {} results for {} outputs",
                   node->kind().toQualString(), results.size(), node->outputs().size());
        for (std::size_t i = 0; i < results.size(); ++i)
            values[node->outputs()[i]] = std::move(results[i]);
    }
}

std::vector<Abstract> Interpreter::run_node(const torch::jit::Node& node, Values& values, const Frame& frame)
{
    std::vector<Abstract> arguments;
    for (const torch::jit::Value* input : node.inputs())
        arguments.push_back(values.at(input));
    const Call call(node, std::move(arguments), frame);
    if (call.kind() == "prim::If") return run_branch(call, values);
    if (call.kind() == "prim::Loop")
    {
        run_loop(call, values);
        return {};
    }
    if (call.is_any_of({"prim::CallMethod", "prim::CallFunction"})) return run_call(call);
    if (auto results = run_statement(call)) return std::move(*results);
    if (auto results = run_on_list(call)) return std::move(*results);
    return run_operation(call);
}

std::vector<Abstract> Interpreter::run_branch(const Call& call, Values& values)
{
    const Abstract& asked = call.arguments().at(0);
    const auto* condition = std::get_if<Known>(&asked);
    if (condition == nullptr) call.refuse(fmt::format("a branch that depends on {}", to_text(asked)));
    const torch::jit::Block& taken = *call.node().blocks()[condition->value.toBool() ? 0 : 1];
    run_block(taken, values, call.frame());
    std::vector<Abstract> results;
    for (const torch::jit::Value* output : taken.outputs())
        results.push_back(values.at(output));
    return results;
}

void Interpreter::run_loop(const Call& call, Values& values)
{
    const torch::jit::Node& node = call.node();
    const torch::jit::Block& body = *node.blocks().front();
    const auto known = [&call](const Abstract& value) -> const c10::IValue& {
        const auto* found = std::get_if<Known>(&value);
        if (found == nullptr) call.refuse("a loop whose end depends on " + to_text(value));
        return found->value;
    };
    const std::vector<Abstract>& arguments = call.arguments();
    const std::int64_t most = known(arguments.at(0)).toInt();
    bool goes_on = known(arguments.at(1)).toBool();
    std::vector<Abstract> carried(arguments.begin() + 2, arguments.end());
    for (std::int64_t i = 0; i < most && goes_on; ++i)
    {
        if (i >= kLongestLoop) call.refuse(fmt::format("a loop of more than {} iterations", kLongestLoop));
        values[body.inputs()[0]] = known_integer(i);
        for (std::size_t k = 0; k < carried.size(); ++k)
            values[body.inputs()[k + 1]] = carried[k];
        run_block(body, values, call.frame());
        goes_on = known(values.at(body.outputs()[0])).toBool();
        for (std::size_t k = 0; k < carried.size(); ++k)
            carried[k] = values.at(body.outputs()[k + 1]);
    }
    for (std::size_t k = 0; k < carried.size(); ++k)
        values[node.outputs()[k]] = carried[k];
}

std::vector<Abstract> Interpreter::run_call(const Call& call)
{
    const torch::jit::Node& node = call.node();
    std::vector<Abstract> arguments = call.arguments();
    if (node.kind() == c10::prim::CallMethod)
    {
        const auto* object = std::get_if<Known>(&arguments.front());
        if (object == nullptr || !object->value.isObject()) call.refuse("a method of what is no module");
        const auto type = object->value.toObjectRef().type();
        const Frame frame =
            is_module(object->value)
                ? Frame{object->name, !has_submodules(object->value.toObjectRef()), &call.frame(), &node}
                : Frame{call.frame().module, call.frame().leaf, &call.frame(), &node};
        torch::jit::Function& method = type->getMethod(node.s(c10::attr::name));
        return run_function(method, std::move(arguments), frame, &call);
    }
    const auto type = node.inputs().front()->type()->expect<c10::FunctionType>();
    // PyTorch's check that there are images enough for batch statistics. The norm itself says whether it has
    // such.
    if (type->function()->name() == "_verify_batch_size") return {Known{}};
    arguments.erase(arguments.begin());
    const Frame frame{call.frame().module, call.frame().leaf, &call.frame(), &node};
    return run_function(*type->function(), std::move(arguments), frame, &call);
}

std::vector<Abstract> Interpreter::run_operation(const Call& call)
{
    if (auto view = view_of_stored(call)) return {std::move(*view)};
    const std::vector<Abstract>& given = call.arguments();
    const bool known = all_known(given);
    if (known && call.node().maybeSchema() != nullptr) return run_known(call);
    if (auto results = ask_tensor(call)) return std::move(*results);
    if (std::any_of(given.begin(), given.end(), has_tensor))
    {
        if (auto result = apply_operation(*graph_, call)) return {std::move(*result)};
    }
    else if (!known)
    {
        // A text for a message that nobody reads; what computes with it is refused, since it is None.
        if (call.is_any_of({"aten::format", "aten::percentFormat"})) return {Known{}};
        call.refuse(
            "it computes with the batch size; only shapes like x.view(x.size(0), -1) can be imported");
    }
    const bool softmax = call.kind().find("softmax") != std::string::npos;
    call.refuse(softmax ? "leave it out: flipstorm wants the logits"
                        : "an operation that the graph of a network does not have");
}

}  // namespace flipstorm::torchscript
