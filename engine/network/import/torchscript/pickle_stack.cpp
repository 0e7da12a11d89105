#include "engine/network/import/torchscript/pickle_stack.hpp"

#include <algorithm>
#include <iterator>

namespace flipstorm::pickle
{
namespace
{

constexpr std::size_t kMostItems = 64;  ///< of a tuple that are kept: no tensor has more dimensions

std::uint32_t deepest(const std::vector<Value>& values)
{
    std::uint32_t depth = 0;
    for (const Value& value : values)
        depth = std::max(depth, value.depth);
    return depth;
}

}  // namespace

void Stack::push(Value value)
{
    FS_CHECK(Problem, value.depth <= depth_, "its values are nested more than {} deep", depth_);
    values_.push_back(std::move(value));
}

void Stack::push_integer(std::int64_t number)
{
    Value value;
    value.kind = Kind::integer;
    value.number = number;
    push(value);
}

void Stack::push_text(Kind kind, std::string_view text)
{
    Value value;
    value.kind = kind;
    value.text = text;
    push(value);
}

void Stack::push_tuple(std::vector<Value> items)
{
    Value value;
    value.kind = Kind::tuple;
    value.depth = 1 + deepest(items);
    if (items.size() <= kMostItems)
        value.items = std::make_shared<const std::vector<Value>>(std::move(items));
    push(std::move(value));
}

Value& Stack::top()
{
    FS_CHECK(Problem, values_.size() > floor(), "it takes a value where there is none");
    return values_.back();
}

Value Stack::pop()
{
    Value value = std::move(top());
    values_.pop_back();
    return value;
}

std::vector<Value> Stack::pop_many(std::size_t count)
{
    FS_CHECK(Problem, values_.size() - floor() >= count, "it takes a value where there is none");
    const auto first = values_.end() - static_cast<std::ptrdiff_t>(count);
    std::vector<Value> values(std::make_move_iterator(first), std::make_move_iterator(values_.end()));
    values_.erase(first, values_.end());
    return values;
}

std::vector<Value> Stack::pop_to_mark()
{
    FS_CHECK(Problem, !marks_.empty(), "it takes a value where there is none");
    std::vector<Value> values = pop_many(values_.size() - marks_.back());
    marks_.pop_back();
    return values;
}

void Stack::add_to_top(const std::vector<Value>& values)
{
    Value container = pop();
    FS_CHECK(Problem, !container.is_named, "it changes a value after it was named");
    container.depth = std::max(container.depth, 1 + deepest(values));
    push(std::move(container));
}

void Stack::name(std::uint64_t number)
{
    top().is_named = true;
    memo_[number] = top();
}

void Stack::push_named(std::uint64_t number)
{
    const auto found = memo_.find(number);
    FS_CHECK(Problem, found != memo_.end(), "it asks for value {}, which it did not name", number);
    push(found->second);
}

}  // namespace flipstorm::pickle
