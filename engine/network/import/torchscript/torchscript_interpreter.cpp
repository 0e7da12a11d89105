#include "engine/network/import/torchscript/torchscript_interpreter.hpp"

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <optional>
#include <set>

namespace flipstorm::torchscript
{
namespace
{

/// Iterations after which a loop is taken for endless.
constexpr std::int64_t kLongestLoop = 100'000;

std::string joined(const std::string& path, const std::string& name)
{
    return path.empty() ? name : path + "." + name;
}

bool is_module(const c10::IValue& value)
{
    return value.isObject() && value.toObjectRef().type()->is_module();
}

bool has_submodules(const c10::ivalue::Object& object)
{
    for (std::size_t i = 0; i < object.type()->numAttributes(); ++i)
    {
        if (is_module(object.getSlot(i))) return true;
    }
    return false;
}

bool in(const std::string& kind, std::initializer_list<const char*> kinds)
{
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

Known number(std::int64_t value)
{
    return Known{c10::IValue(value)};
}

/// Whether a value is a tensor of the network or holds one.
bool has_tensor(const Abstract& value)
{
    if (std::holds_alternative<TensorRef>(value)) return true;
    const auto* sequence = std::get_if<SequenceRef>(&value);
    return sequence != nullptr &&
           std::any_of((*sequence)->elements.begin(), (*sequence)->elements.end(), has_tensor);
}

const SequenceRef* list_of(const Abstract& value)
{
    const auto* sequence = std::get_if<SequenceRef>(&value);
    return sequence != nullptr && (*sequence)->element_type ? sequence : nullptr;
}

/// Position in a list, from its end if negative; refuses one outside.
std::size_t position(const Call& call, std::int64_t index, std::size_t size)
{
    const auto count = static_cast<std::int64_t>(size);
    if (index < -count || index >= count)
    {
        call.refuse(fmt::format("element {} of a list of {}", index, size));
    }
    return static_cast<std::size_t>(index < 0 ? index + count : index);
}

/// Operations on lists that hold something unknown, or may come to.
std::optional<std::vector<Abstract>> run_on_list(const Call& call)
{
    const std::vector<Abstract>& arguments = call.arguments();
    const SequenceRef* list = arguments.empty() ? nullptr : list_of(arguments.front());
    if (list == nullptr) return {};
    std::vector<Abstract>& elements = (*list)->elements;
    const auto same_type = [list](std::vector<Abstract> content) {
        return std::make_shared<Sequence>(Sequence{std::move(content), (*list)->element_type});
    };
    const std::string& kind = call.kind();
    if (kind == "aten::len") return {{number(static_cast<std::int64_t>(elements.size()))}};
    if (kind == "aten::__getitem__")
    {
        return {{elements[position(call, call.integer("idx"), elements.size())]}};
    }
    if (kind == "aten::append")
    {
        elements.push_back(arguments.at(1));
        return {{*list}};
    }
    if (kind == "aten::list") return {{same_type(elements)}};
    if (kind == "aten::slice")
    {
        const auto count = static_cast<std::int64_t>(elements.size());
        const auto from_front = [count](std::int64_t at) {
            return std::clamp<std::int64_t>(at < 0 ? at + count : at, 0, count);
        };
        const std::int64_t step = call.integer("step");
        call.expect(step > 0, "step", "it must be positive");
        const std::int64_t end = call.has("end") ? from_front(call.integer("end")) : count;
        std::vector<Abstract> part;
        for (std::int64_t i = call.has("start") ? from_front(call.integer("start")) : 0; i < end; i += step)
            part.push_back(elements[static_cast<std::size_t>(i)]);
        return {{same_type(std::move(part))}};
    }
    const std::optional<std::vector<Abstract>> other =
        kind == "aten::add" ? elements_of(arguments.at(1)) : std::nullopt;
    if (other)
    {
        std::vector<Abstract> both = elements;
        both.insert(both.end(), other->begin(), other->end());
        return {{same_type(std::move(both))}};
    }
    return {};
}

/// Questions about a tensor of the network that have an answer without images.
std::optional<std::vector<Abstract>> ask_tensor(const Call& call)
{
    const std::vector<Abstract>& arguments = call.arguments();
    const std::string& kind = call.kind();
    if (arguments.empty()) return {};
    if (in(kind, {"aten::__is__", "aten::__isnot__"}))
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
        if (in(kind, {"prim::NumToTensor", "aten::Int", "aten::IntImplicit", "aten::ScalarImplicit"}))
            return {{BatchSize{}}};
        return {};
    }
    const auto* tensor = std::get_if<TensorRef>(&arguments.front());
    if (tensor == nullptr) return {};
    const Shape& shape = (*tensor)->shape;
    if (kind == "aten::dim") return {{number(static_cast<std::int64_t>(shape.size()) + 1)}};
    if (kind == "aten::len") return {{BatchSize{}}};
    if (in(kind, {"aten::is_floating_point"})) return {{Known{true}}};
    if (in(kind, {"prim::requires_grad", "prim::is_cuda", "aten::is_complex", "prim::is_quantized"}))
        return {{Known{false}}};
    if (kind == "prim::dtype") return {{number(static_cast<std::int64_t>(at::kFloat))}};
    if (kind == "prim::device") return {{Known{c10::Device(c10::kCPU)}}};
    if (kind != "aten::size") return {};
    std::vector<Abstract> sizes = {BatchSize{}};
    for (const std::int64_t size : shape)
        sizes.emplace_back(number(size));
    if (call.has("dim"))
    {
        return {{sizes[static_cast<std::size_t>(
            call.dimension("dim", static_cast<std::int64_t>(sizes.size())))]}};
    }
    return {{std::make_shared<Sequence>(Sequence{std::move(sizes), c10::IntType::get()})}};
}

/// Views of a stored tensor that keep its name.
std::optional<Known> view_of_stored(const Call& call)
{
    const auto* stored = call.arguments().empty() ? nullptr : std::get_if<Known>(&call.arguments().front());
    if (stored == nullptr || !stored->value.isTensor() || stored->origin == Origin::computed) return {};
    Known view = *stored;
    const at::Tensor& tensor = stored->value.toTensor();
    const std::string& kind = call.kind();
    if (in(kind, {"aten::detach", "aten::contiguous", "prim::data", "aten::alias"})) return view;
    const bool swaps =
        kind == "aten::t" || (kind == "aten::transpose" &&
                              call.dimension("dim0", tensor.dim()) != call.dimension("dim1", tensor.dim()));
    if (!swaps || tensor.dim() != 2) return {};
    view.value = tensor.t();
    view.transposed = !stored->transposed;
    return view;
}

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
        method->function(), arguments_of(*method, std::move(object), layers_->input()), frame, nullptr);
    const auto* output = results.size() == 1 ? std::get_if<TensorRef>(&results.front()) : nullptr;
    if (output == nullptr)
    {
        const std::string found = results.size() == 1 ? to_text(results.front()) : "several values";
        throw DataError("its forward returns {}; flipstorm wants one tensor, the logits", found);
    }
    const auto& graph = torch::jit::toGraphFunction(method->function()).graph();
    const Call returned(*graph->return_node(), results, frame);
    return layers_->node_of(returned, *output);
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
        values[body.inputs()[0]] = number(i);
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

std::vector<Abstract> Interpreter::run_known(const Call& call)
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

std::vector<Abstract> Interpreter::run_node(const torch::jit::Node& node, Values& values, const Frame& frame)
{
    // The function that is called is no value, only a type.
    std::vector<Abstract> arguments;
    for (const torch::jit::Value* input : node.inputs())
        arguments.push_back(values.at(input));
    const Call call(node, std::move(arguments), frame);
    const std::string& kind = call.kind();
    const auto first = [&call]() -> const Abstract& { return call.arguments().at(0); };

    if (kind == "prim::Constant")
    {
        if (node.output()->type()->kind() == c10::TypeKind::FunctionType) return {Known{}};
        const auto value = torch::jit::toIValue(node.output());
        if (!value) call.refuse("a constant without a value");
        return {Known{*value, "", value->isTensor() ? Origin::constant : Origin::computed}};
    }
    if (kind == "prim::Uninitialized") return {Known{}};
    if (kind == "prim::If")
    {
        const auto* condition = std::get_if<Known>(&first());
        if (condition == nullptr)
        {
            call.refuse(fmt::format("a branch that depends on {}", to_text(first())));
        }
        const torch::jit::Block& taken = *node.blocks()[condition->value.toBool() ? 0 : 1];
        run_block(taken, values, frame);
        std::vector<Abstract> results;
        for (const torch::jit::Value* output : taken.outputs())
            results.push_back(values.at(output));
        return results;
    }
    if (kind == "prim::Loop")
    {
        run_loop(call, values);
        return {};
    }
    if (kind == "prim::CallMethod" || kind == "prim::CallFunction") return run_call(call);
    if (kind == "prim::GetAttr")
    {
        const auto* object = std::get_if<Known>(&first());
        if (object == nullptr || !object->value.isObject()) call.refuse("an attribute of what is no module");
        const std::string& attribute = node.s(c10::attr::name);
        Known value{object->value.toObjectRef().getAttr(attribute)};
        if (is_module(object->value) && (is_module(value.value) || value.value.isTensor()))
        {
            value.name = joined(object->name, attribute);
            value.origin = Origin::attribute;
        }
        return {std::move(value)};
    }
    if (kind == "prim::ListConstruct" || kind == "prim::TupleConstruct")
    {
        const auto type = node.output()->type()->cast<c10::ListType>();
        return {std::make_shared<Sequence>(
            Sequence{call.arguments(), type ? type->getElementType() : c10::TypePtr()})};
    }
    if (in(kind, {"prim::TupleUnpack", "prim::ListUnpack", "prim::TupleIndex"}))
    {
        std::optional<std::vector<Abstract>> elements = elements_of(first());
        if (!elements) call.refuse("it unpacks " + to_text(first()));
        if (kind == "prim::TupleIndex")
        {
            const auto* index = std::get_if<Known>(&call.arguments().at(1));
            if (index == nullptr) call.refuse("an index that depends on the images");
            return {(*elements)[position(call, index->value.toInt(), elements->size())]};
        }
        if (elements->size() != node.outputs().size())
        {
            call.refuse(fmt::format("{} values to unpack into {}", elements->size(), node.outputs().size()));
        }
        return std::move(*elements);
    }
    if (in(kind, {"prim::unchecked_cast", "prim::unchecked_unwrap_optional", "aten::_unwrap_optional"}))
    {
        return {first()};
    }
    if (kind == "prim::SetAttr")
    {
        call.refuse(
            fmt::format("it changes the attribute '{}' of {}, but forward must leave the module as it is",
                        node.s(c10::attr::name), to_text(first())));
    }
    if (kind == "prim::RaiseException") call.refuse("the module raises an exception: " + to_text(first()));
    if (in(kind, {"prim::Print", "aten::warn"})) return std::vector<Abstract>(node.outputs().size(), Known{});
    if (auto results = run_on_list(call)) return std::move(*results);
    if (auto view = view_of_stored(call)) return {std::move(*view)};

    const c10::FunctionSchema* schema = node.maybeSchema();
    const std::vector<Abstract>& given = call.arguments();
    const bool known = std::all_of(given.begin(), given.end(),
                                   [](const Abstract& value) { return to_ivalue(value).has_value(); });
    if (schema != nullptr && known)
    {
        if (schema->is_mutable() && !writes_fresh_tensor(call))
        {
            call.refuse(
                "it changes " + to_text(first()) +
                ", but forward must leave the module as it is; if it was traced in training mode, call "
                "model.eval() first");
        }
        if (node.isNondeterministic()) call.refuse("its result is random");
        return run_known(call);
    }
    if (auto results = ask_tensor(call)) return std::move(*results);
    if (std::any_of(given.begin(), given.end(), has_tensor))
    {
        if (auto result = layers_->apply(call)) return {std::move(*result)};
    }
    else if (!known)
    {
        // A text for a message that nobody reads; what computes with it is refused, since it is None.
        if (in(kind, {"aten::format", "aten::percentFormat"})) return {Known{}};
        call.refuse(
            "it computes with the batch size; only shapes like x.view(x.size(0), -1) can be imported");
    }
    const bool softmax = kind.find("softmax") != std::string::npos;
    call.refuse(softmax ? "leave it out: flipstorm wants the logits"
                        : "an operation that the graph of a network does not have");
}

}  // namespace flipstorm::torchscript
