#include "engine/network/import/torchscript/torchscript_values.hpp"

#include <sstream>

namespace flipstorm::torchscript
{

bool is_module(const c10::IValue& value)
{
    return value.isObject() && value.toObjectRef().type()->is_module();
}

void join_aliases(const TensorRef& one, const TensorRef& other)
{
    if (!one->aliases) one->aliases = std::make_shared<Aliases>(Aliases{one});
    other->aliases = one->aliases;
    other->aliases->push_back(other);
}

std::optional<c10::IValue> to_ivalue(const Abstract& value)
{
    if (const auto* known = std::get_if<Known>(&value)) return known->value;
    const auto* sequence = std::get_if<SequenceRef>(&value);
    if (sequence == nullptr) return {};
    std::vector<c10::IValue> elements;
    for (const Abstract& element : (*sequence)->elements)
    {
        std::optional<c10::IValue> known = to_ivalue(element);
        if (!known) return {};
        elements.push_back(std::move(*known));
    }
    if (!(*sequence)->element_type) return c10::ivalue::Tuple::create(std::move(elements));
    c10::impl::GenericList list((*sequence)->element_type);
    for (c10::IValue& element : elements)
        list.push_back(std::move(element));
    return c10::IValue(std::move(list));
}

std::optional<std::vector<Abstract>> elements_of(const Abstract& value)
{
    if (const auto* sequence = std::get_if<SequenceRef>(&value)) return (*sequence)->elements;
    const auto* known = std::get_if<Known>(&value);
    if (known == nullptr) return {};
    std::vector<Abstract> elements;
    if (known->value.isList())
    {
        for (const c10::IValue& element : known->value.toListRef())
            elements.emplace_back(Known{element});
    }
    else if (known->value.isTuple())
    {
        for (const c10::IValue& element : known->value.toTupleRef().elements())
            elements.emplace_back(Known{element});
    }
    else
    {
        return {};
    }
    return elements;
}

std::string to_text(const Abstract& value)
{
    if (std::holds_alternative<BatchSize>(value)) return "the batch size";
    if (std::holds_alternative<TensorRef>(value)) return "a tensor of the network";
    if (const auto* sequence = std::get_if<SequenceRef>(&value))
    {
        std::string text;
        for (const Abstract& element : (*sequence)->elements)
            text += (text.empty() ? "" : ", ") + to_text(element);
        return "[" + text + "]";
    }
    const Known& known = std::get<Known>(value);
    if (known.value.isTensor())
    {
        return known.name.empty() ? "a tensor without a name" : "'" + known.name + "'";
    }
    if (known.value.isObject()) return "the module '" + known.name + "'";
    std::ostringstream text;
    text << known.value;
    return text.str();
}

}  // namespace flipstorm::torchscript
