#include "engine/network/import/torchscript/torchscript_known.hpp"

#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>

namespace flipstorm::torchscript
{
namespace
{

/// Whether all that an operation writes to is a tensor that shares memory with nothing stored.
bool writes_fresh_tensor(const Call& call)
{
    const std::vector<c10::Argument>& arguments = call.node().schema().arguments();
    for (std::size_t i = 0; i < arguments.size(); ++i)
    {
        if (arguments[i].alias_info() == nullptr || !arguments[i].alias_info()->isWrite()) continue;
        const auto* known = std::get_if<Known>(&call.arguments().at(i));
        if (known == nullptr || !known->fresh) return false;
    }
    return true;
}

std::vector<Abstract> run_by_libtorch(const Call& call)
{
    const torch::jit::Node& node = call.node();
    torch::jit::Stack stack;
    for (const Abstract& argument : call.arguments())
        stack.push_back(*to_ivalue(argument));
    // Of an operation with any number of arguments, the number comes last.
    if (node.schema().is_vararg()) stack.emplace_back(static_cast<std::int64_t>(stack.size()));
    try
    {
        torch::jit::Operation operation = node.getOperation();
        operation(stack);
    }
    catch (const c10::Error& error)
    {
        call.refuse("it fails: " + first_line(error.what_without_backtrace()));
    }
    catch (const std::exception& error)
    {
        call.refuse("it fails: " + first_line(error.what()));
    }
    const std::vector<c10::Argument>& returns = node.schema().returns();
    std::vector<Abstract> results;
    for (std::size_t i = 0; i < stack.size(); ++i)
    {
        Known result{std::move(stack[i])};
        // What is written to in place comes back.
        result.fresh = node.schema().is_mutable() ||
                       (i < returns.size() && returns[i].alias_info() == nullptr && result.value.isTensor());
        results.emplace_back(std::move(result));
    }
    return results;
}

}  // namespace

std::optional<std::vector<Abstract>> ask_tensor(const Call& call)
{
    const std::vector<Abstract>& arguments = call.arguments();
    const std::string& kind = call.kind();
    if (arguments.empty()) return {};
    if (call.is_any_of({"aten::__is__", "aten::__isnot__"}))
    {
        // A tensor of the network is not None, and nothing else is asked.
        for (const Abstract& argument : arguments)
        {
            const auto* known = std::get_if<Known>(&argument);
            if (known != nullptr && known->value.isNone()) return {{Known{kind == "aten::__isnot__"}}};
        }
        return {};
    }
    if (std::holds_alternative<BatchSize>(arguments.front()))
    {
        if (call.is_any_of({"prim::NumToTensor", "aten::Int", "aten::IntImplicit", "aten::ScalarImplicit"}))
            return {{BatchSize{}}};
        return {};
    }
    const auto* tensor = std::get_if<TensorRef>(&arguments.front());
    if (tensor == nullptr) return {};
    const Shape& shape = (*tensor)->shape;
    if (kind == "aten::dim") return {{known_integer(static_cast<std::int64_t>(shape.size()) + 1)}};
    if (kind == "aten::len") return {{BatchSize{}}};
    if (kind == "aten::is_floating_point") return {{Known{true}}};
    if (call.is_any_of({"prim::requires_grad", "prim::is_cuda", "aten::is_complex", "prim::is_quantized"}))
        return {{Known{false}}};
    if (kind == "prim::dtype") return {{known_integer(static_cast<std::int64_t>(at::kFloat))}};
    if (kind == "prim::device") return {{Known{c10::Device(c10::kCPU)}}};
    if (kind != "aten::size") return {};
    std::vector<Abstract> sizes = {BatchSize{}};
    for (const std::int64_t size : shape)
        sizes.emplace_back(known_integer(size));
    if (call.has("dim"))
    {
        return {{sizes[static_cast<std::size_t>(
            call.dimension("dim", static_cast<std::int64_t>(sizes.size())))]}};
    }
    return {{std::make_shared<Sequence>(Sequence{std::move(sizes), c10::IntType::get()})}};
}

std::optional<Known> view_of_stored(const Call& call)
{
    const auto* stored = call.arguments().empty() ? nullptr : std::get_if<Known>(&call.arguments().front());
    if (stored == nullptr || !stored->value.isTensor() || stored->origin == Origin::computed) return {};
    Known view = *stored;
    const at::Tensor& tensor = stored->value.toTensor();
    const std::string& kind = call.kind();
    if (call.is_any_of({"aten::detach", "aten::contiguous", "prim::data", "aten::alias"})) return view;
    const bool swaps =
        kind == "aten::t" || (kind == "aten::transpose" &&
                              call.dimension("dim0", tensor.dim()) != call.dimension("dim1", tensor.dim()));
    if (!swaps || tensor.dim() != 2) return {};
    view.value = tensor.t();
    view.transposed = !stored->transposed;
    return view;
}

bool all_known(const std::vector<Abstract>& arguments)
{
    return std::all_of(arguments.begin(), arguments.end(),
                       [](const Abstract& value) { return to_ivalue(value).has_value(); });
}

std::vector<Abstract> run_known(const Call& call)
{
    if (call.node().schema().is_mutable() && !writes_fresh_tensor(call))
    {
        call.refuse("it changes " + to_text(call.arguments().at(0)) +
                    ", but forward must leave the module as it is; if it was traced in training mode, call "
                    "model.eval() first");
    }
    if (call.node().isNondeterministic()) call.refuse("its result is random");
    return run_by_libtorch(call);
}

}  // namespace flipstorm::torchscript
