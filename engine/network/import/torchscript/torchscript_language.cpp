#include "engine/network/import/torchscript/torchscript_language.hpp"

#include <ATen/core/jit_type.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>

namespace flipstorm::torchscript
{
namespace
{

std::string joined(const std::string& path, const std::string& name)
{
    return path.empty() ? name : path + "." + name;
}

Abstract constant(const Call& call)
{
    const torch::jit::Value* output = call.node().output();
    // The function that is called is no value, only a type.
    if (output->type()->kind() == c10::TypeKind::FunctionType) return Known{};
    const auto value = torch::jit::toIValue(output);
    if (!value) call.refuse("a constant without a value");
    return Known{*value, "", value->isTensor() ? Origin::constant : Origin::computed};
}

Abstract attribute(const Call& call)
{
    const auto* object = std::get_if<Known>(&call.arguments().at(0));
    if (object == nullptr || !object->value.isObject()) call.refuse("an attribute of what is no module");
    const std::string& name = call.node().s(c10::attr::name);
    Known value{object->value.toObjectRef().getAttr(name)};
    if (is_module(object->value) && (is_module(value.value) || value.value.isTensor()))
    {
        value.name = joined(object->name, name);
        value.origin = Origin::attribute;
    }
    return value;
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

/// Elements of a list or tuple, or one of them.
std::vector<Abstract> unpacked(const Call& call)
{
    const Abstract& packed = call.arguments().at(0);
    std::optional<std::vector<Abstract>> elements = elements_of(packed);
    if (!elements) call.refuse("it unpacks " + to_text(packed));
    if (call.kind() == "prim::TupleIndex")
    {
        const auto* index = std::get_if<Known>(&call.arguments().at(1));
        if (index == nullptr) call.refuse("an index that depends on the images");
        return {(*elements)[position(call, index->value.toInt(), elements->size())]};
    }
    const std::size_t outputs = call.node().outputs().size();
    if (elements->size() != outputs)
    {
        call.refuse(fmt::format("{} values to unpack into {}", elements->size(), outputs));
    }
    return std::move(*elements);
}

const SequenceRef* list_of(const Abstract& value)
{
    const auto* sequence = std::get_if<SequenceRef>(&value);
    return sequence != nullptr && (*sequence)->element_type ? sequence : nullptr;
}

std::vector<Abstract> slice_of(const Call& call, const std::vector<Abstract>& elements)
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
    return part;
}

}  // namespace

std::optional<std::vector<Abstract>> run_statement(const Call& call)
{
    const torch::jit::Node& node = call.node();
    const std::string& kind = call.kind();
    const auto first = [&call]() -> const Abstract& { return call.arguments().at(0); };
    if (kind == "prim::Constant") return {{constant(call)}};
    if (kind == "prim::Uninitialized") return {{Known{}}};
    if (kind == "prim::GetAttr") return {{attribute(call)}};
    if (call.is_any_of({"prim::ListConstruct", "prim::TupleConstruct"}))
    {
        const auto type = node.output()->type()->cast<c10::ListType>();
        return {{std::make_shared<Sequence>(
            Sequence{call.arguments(), type ? type->getElementType() : c10::TypePtr()})}};
    }
    if (call.is_any_of({"prim::TupleUnpack", "prim::ListUnpack", "prim::TupleIndex"})) return unpacked(call);
    if (call.is_any_of({"prim::unchecked_cast", "prim::unchecked_unwrap_optional", "aten::_unwrap_optional"}))
    {
        return {{first()}};
    }
    if (kind == "prim::SetAttr")
    {
        call.refuse(
            fmt::format("it changes the attribute '{}' of {}, but forward must leave the module as it is",
                        node.s(c10::attr::name), to_text(first())));
    }
    if (kind == "prim::RaiseException") call.refuse("the module raises an exception: " + to_text(first()));
    if (call.is_any_of({"prim::Print", "aten::warn"}))
        return std::vector<Abstract>(node.outputs().size(), Known{});
    return {};
}

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
    if (kind == "aten::len") return {{known_integer(static_cast<std::int64_t>(elements.size()))}};
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
    if (kind == "aten::slice") return {{same_type(slice_of(call, elements))}};
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

}  // namespace flipstorm::torchscript
