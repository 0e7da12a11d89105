#pragma once
// The values of a pickle while it is followed: as much of them as its checks need, on the stack of its
// machine and in its memo. Internal to the check of pickles.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/base/error.hpp"

namespace flipstorm::pickle
{

/// What is wrong with a pickle.
class Problem : public Error
{
  public:
    using Error::Error;
};

enum class Kind : std::uint8_t
{
    other,
    integer,  ///< `number`
    text,     ///< `text`
    global,   ///< `text`: "MODULE\nNAME\n", a class or a function
    tuple,    ///< `items`, unless there are many
    storage,  ///< `number` elements
};

/// As much of a value as the checks need.
struct Value
{
    Kind kind = Kind::other;
    bool is_named = false;  ///< in the memo: what is changed afterwards would change there, too
    std::uint32_t depth = 1;
    std::int64_t number = 0;
    std::string_view text;
    std::shared_ptr<const std::vector<Value>> items;
};

/// The stack, with its marks, and the memo. All throw Problem for what a good pickle does not do.
class Stack
{
  public:
    /// \param depth  deepest nesting of values
    explicit Stack(std::size_t depth) : depth_(depth) {}

    void push(Value value);
    void push_integer(std::int64_t number);
    void push_text(Kind kind, std::string_view text);
    void push_tuple(std::vector<Value> items);

    Value& top();
    Value pop();
    std::vector<Value> pop_many(std::size_t count);

    void mark() { marks_.push_back(values_.size()); }
    std::vector<Value> pop_to_mark();

    /// Elements of a list, entries of a dictionary, or the state of an object.
    void add_to_top(const std::vector<Value>& values);

    /// Put the top into the memo.
    void name(std::uint64_t number);
    void push_named(std::uint64_t number);

  private:
    /// Values below the last mark are not to be taken.
    [[nodiscard]] std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

    std::size_t depth_;
    std::vector<Value> values_;
    std::vector<std::size_t> marks_;
    std::unordered_map<std::uint64_t, Value> memo_;
};

}  // namespace flipstorm::pickle
