#include "engine/network/import/torchscript/pickle_check.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
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

constexpr std::size_t kMostItems = 64;  ///< of a tuple that are kept: no tensor has more dimensions

/// Bytes of an element of a storage class, "torch\nFloatStorage\n"; 0 if it is none of them.
std::uint64_t element_bytes(std::string_view storage)
{
    struct Row
    {
        std::string_view type;
        std::uint64_t bytes;
    };
    constexpr Row kRows[] = {{"Float", 4},       {"Double", 8},        {"Half", 2},
                             {"BFloat16", 2},    {"Long", 8},          {"Int", 4},
                             {"Short", 2},       {"Char", 1},          {"Byte", 1},
                             {"Bool", 1},        {"QInt8", 1},         {"QUInt8", 1},
                             {"QInt32", 4},      {"ComplexFloat", 8},  {"ComplexDouble", 16},
                             {"ComplexHalf", 4}, {"Float8_e4m3fn", 1}, {"Float8_e5m2", 1}};
    for (const Row& row : kRows)
    {
        if (storage == fmt::format("torch\n{}Storage\n", row.type)) return row.bytes;
    }
    return 0;
}

/// Deepest nesting of brackets in a type's name.
std::size_t bracket_depth(std::string_view text)
{
    std::size_t open = 0;
    std::size_t deepest = 0;
    for (const char c : text)
    {
        if (c == '[' || c == '(') deepest = std::max(deepest, ++open);
        if ((c == ']' || c == ')') && open > 0) --open;
    }
    return deepest;
}

class Machine
{
  public:
    Machine(std::string_view pickle, const RecordBytes& records, std::size_t depth)
        : pickle_(pickle), records_(records), depth_(depth)
    {}

    /// \throws Problem
    void run()
    {
        while (step(static_cast<unsigned char>(take(1).front())))
        {}
    }

  private:
    /// \return false at the end
    bool step(unsigned char code)
    {
        switch (code)
        {
            case '.':
                return false;
            case 0x80:  // protocol
                take(1);
                return true;
            case '(':
                marks_.push_back(stack_.size());
                return true;
            case 'J':
                push_integer(static_cast<std::int32_t>(unsigned_number(4)));
                return true;
            case 'K':
                push_integer(static_cast<std::int64_t>(unsigned_number(1)));
                return true;
            case 'M':
                push_integer(static_cast<std::int64_t>(unsigned_number(2)));
                return true;
            case 0x8a:
                push_long(unsigned_number(1));
                return true;
            case 'G':
                take(8);
                push({});
                return true;
            case 'N':
            case 0x88:
            case 0x89:
            case '}':
            case ']':
                push({});
                return true;
            case 'X':
            case 'T':
                push_text(Kind::text, take(unsigned_number(4)));
                return true;
            case 'U':
            case 0x8c:
                push_text(Kind::text, take(unsigned_number(1)));
                return true;
            case 'c':
                push_global();
                return true;
            default:
                combine(code);
                return true;
        }
    }

    /// Operations on what is on the stack already.
    void combine(unsigned char code)
    {
        switch (code)
        {
            case ')':
                push_tuple({});
                break;
            case 0x85:
            case 0x86:
            case 0x87:
                push_tuple(pop_many(code - 0x84U));
                break;
            case 't':
                push_tuple(pop_to_mark());
                break;
            case 'a':
                add_to_top(pop_many(1));
                break;
            case 's':
                add_to_top(pop_many(2));
                break;
            case 'e':
            case 'u':
                add_to_top(pop_to_mark());
                break;
            case 'b':
                add_to_top(pop_many(1));
                break;
            case 0x81:  // an object of a class, without arguments
                pop_many(1);
                top() = Value{};
                break;
            case 'R':
                reduce();
                break;
            case 'Q':
                push_storage(pop());
                break;
            case 'q':
                name(unsigned_number(1));
                break;
            case 'r':
                name(unsigned_number(4));
                break;
            case 'h':
                push_named(unsigned_number(1));
                break;
            case 'j':
                push_named(unsigned_number(4));
                break;
            default:
                throw Problem("it has the operation {:#04x}, which TorchScript does not use", code);
        }
    }

    std::string_view take(std::uint64_t bytes)
    {
        FS_CHECK(Problem, bytes <= pickle_.size() - at_, "it ends in the middle");
        const std::string_view taken = pickle_.substr(at_, bytes);
        at_ += bytes;
        return taken;
    }

    std::uint64_t unsigned_number(std::uint64_t bytes)
    {
        std::uint64_t value = 0;
        const std::string_view taken = take(bytes);
        for (std::size_t i = 0; i < taken.size(); ++i)
            value |= std::uint64_t{static_cast<unsigned char>(taken[i])} << (8 * i);
        return value;
    }

    void push(Value value)
    {
        FS_CHECK(Problem, value.depth <= depth_, "its values are nested more than {} deep", depth_);
        stack_.push_back(std::move(value));
    }

    void push_integer(std::int64_t number)
    {
        Value value;
        value.kind = Kind::integer;
        value.number = number;
        push(value);
    }

    void push_long(std::uint64_t bytes)
    {
        FS_CHECK(Problem, bytes <= 8, "it has an integer of {} bytes", bytes);
        std::uint64_t number = unsigned_number(bytes);
        const std::uint64_t sign = bytes == 0 ? 0 : std::uint64_t{1} << (8 * bytes - 1);
        if ((number & sign) != 0 && bytes < 8) number |= ~std::uint64_t{0} << (8 * bytes);
        push_integer(static_cast<std::int64_t>(number));
    }

    void push_text(Kind kind, std::string_view text)
    {
        Value value;
        value.kind = kind;
        value.text = text;
        push(value);
    }

    void push_global()
    {
        const std::size_t begin = at_;
        for (int line = 0; line < 2; ++line)
        {
            const std::size_t end = pickle_.find('\n', at_);
            FS_CHECK(Problem, end != std::string_view::npos, "it ends in the middle");
            at_ = end + 1;
        }
        push_text(Kind::global, pickle_.substr(begin, at_ - begin));
    }

    void push_tuple(std::vector<Value> items)
    {
        Value value;
        value.kind = Kind::tuple;
        value.depth = 1 + deepest(items);
        if (items.size() <= kMostItems)
            value.items = std::make_shared<const std::vector<Value>>(std::move(items));
        push(std::move(value));
    }

    static std::uint32_t deepest(const std::vector<Value>& values)
    {
        std::uint32_t depth = 0;
        for (const Value& value : values)
            depth = std::max(depth, value.depth);
        return depth;
    }

    Value& top()
    {
        FS_CHECK(Problem, stack_.size() > floor(), "it takes a value where there is none");
        return stack_.back();
    }

    [[nodiscard]] std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

    Value pop()
    {
        Value value = std::move(top());
        stack_.pop_back();
        return value;
    }

    std::vector<Value> pop_many(std::size_t count)
    {
        FS_CHECK(Problem, stack_.size() - floor() >= count, "it takes a value where there is none");
        const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
        std::vector<Value> values(std::make_move_iterator(first), std::make_move_iterator(stack_.end()));
        stack_.erase(first, stack_.end());
        return values;
    }

    std::vector<Value> pop_to_mark()
    {
        FS_CHECK(Problem, !marks_.empty(), "it takes a value where there is none");
        std::vector<Value> values = pop_many(stack_.size() - marks_.back());
        marks_.pop_back();
        return values;
    }

    /// Elements of a list, entries of a dictionary, or the state of an object.
    void add_to_top(const std::vector<Value>& values)
    {
        Value container = pop();
        FS_CHECK(Problem, !container.is_named, "it changes a value after it was named");
        container.depth = std::max(container.depth, 1 + deepest(values));
        push(std::move(container));
    }

    void name(std::uint64_t number)
    {
        top().is_named = true;
        memo_[number] = top();
    }

    void push_named(std::uint64_t number)
    {
        const auto found = memo_.find(number);
        FS_CHECK(Problem, found != memo_.end(), "it asks for value {}, which it did not name", number);
        push(found->second);
    }

    /// The result of a function for a tuple of arguments.
    void reduce()
    {
        const Value arguments = pop();
        const Value function = pop();
        FS_CHECK(Problem, arguments.kind == Kind::tuple, "it calls a function without a tuple of arguments");
        const bool has_storage =
            arguments.items && !arguments.items->empty() && arguments.items->front().kind == Kind::storage;
        if (has_storage) check_tensor(*arguments.items);
        if (function.text == "torch.jit._pickle\nrestore_type_tag\n")
        {
            FS_CHECK(Problem, arguments.items && arguments.items->size() == 2,
                     "it names a type in another way than TorchScript does");
            FS_CHECK(Problem, bracket_depth((*arguments.items)[1].text) <= depth_,
                     "it names a type that is nested more than {} deep", depth_);
        }
        Value result;
        result.depth = 1 + arguments.depth;
        push(std::move(result));
    }

    /// ("storage", class, key, device, elements)
    void push_storage(const Value& id)
    {
        FS_CHECK(Problem,
                 id.kind == Kind::tuple && id.items && id.items->size() >= 5 &&
                     (*id.items)[0].text == "storage" && (*id.items)[1].kind == Kind::global &&
                     (*id.items)[2].kind == Kind::text && (*id.items)[4].kind == Kind::integer,
                 "it names a storage in another way than TorchScript does");
        const std::string_view type = (*id.items)[1].text;
        const std::string_view key = (*id.items)[2].text;
        const std::int64_t count = (*id.items)[4].number;
        const std::uint64_t bytes = element_bytes(type);
        FS_CHECK(Problem, bytes > 0, "it has a storage of an unknown type '{}'", type);
        FS_CHECK(Problem,
                 count >= 0 &&
                     static_cast<std::uint64_t>(count) <= std::numeric_limits<std::uint64_t>::max() / bytes,
                 "its storage '{}' has {} elements", key, count);
        const std::optional<std::uint64_t> record = records_(key);
        FS_CHECK(Problem, record || count == 0, "its storage '{}' is not in the file", key);
        FS_CHECK(Problem, count == 0 || static_cast<std::uint64_t>(count) * bytes <= *record,
                 "its storage '{}' has {} elements of {} bytes, but {} bytes in the file", key, count, bytes,
                 record.value_or(0));
        Value value;
        value.kind = Kind::storage;
        value.number = count;
        push(value);
    }

    /// (storage, offset, sizes, strides, …)
    static void check_tensor(const std::vector<Value>& arguments)
    {
        FS_CHECK(Problem, arguments.size() >= 4 && arguments[1].kind == Kind::integer,
                 "it makes a tensor in another way than TorchScript does");
        const std::int64_t offset = arguments[1].number;
        const std::vector<std::int64_t> sizes = integers(arguments[2]);
        const std::vector<std::int64_t> strides = integers(arguments[3]);
        FS_CHECK(Problem, sizes.size() == strides.size(), "it has a tensor of {} sizes and {} strides",
                 sizes.size(), strides.size());
        bool is_empty = false;
        bool is_inside = offset >= 0;
        std::int64_t last = offset;  // element of the storage
        for (std::size_t i = 0; i < sizes.size(); ++i)
        {
            std::int64_t step = 0;
            is_empty = is_empty || sizes[i] == 0;
            is_inside = is_inside && sizes[i] >= 0 && strides[i] >= 0 &&
                        !__builtin_mul_overflow(std::max<std::int64_t>(0, sizes[i] - 1), strides[i], &step) &&
                        !__builtin_add_overflow(last, step, &last);
        }
        const std::int64_t count = arguments[0].number;
        is_inside = is_inside && (is_empty ? offset <= count : last < count);
        FS_CHECK(Problem, is_inside,
                 "it has a tensor [{}] with strides [{}] from element {}, of a storage of {} elements",
                 fmt::join(sizes, ", "), fmt::join(strides, ", "), offset, count);
    }

    static std::vector<std::int64_t> integers(const Value& tuple)
    {
        FS_CHECK(Problem, tuple.kind == Kind::tuple && tuple.items,
                 "it makes a tensor in another way than TorchScript does");
        std::vector<std::int64_t> numbers;
        for (const Value& item : *tuple.items)
        {
            FS_CHECK(Problem, item.kind == Kind::integer,
                     "it makes a tensor in another way than TorchScript does");
            numbers.push_back(item.number);
        }
        return numbers;
    }

    std::string_view pickle_;
    const RecordBytes& records_;
    std::size_t depth_;
    std::size_t at_ = 0;
    std::vector<Value> stack_;
    std::vector<std::size_t> marks_;
    std::unordered_map<std::uint64_t, Value> memo_;
};

}  // namespace

std::optional<std::string> pickle_problem(std::string_view pickle, const RecordBytes& records,
                                          std::size_t depth)
{
    try
    {
        Machine(pickle, records, depth).run();
    }
    catch (const Problem& problem)
    {
        return problem.what();
    }
    return std::nullopt;
}

}  // namespace flipstorm
