#include "engine/network/import/torchscript/pickle_check.hpp"

#include <algorithm>

#include "engine/network/import/torchscript/pickle_stack.hpp"
#include "engine/network/import/torchscript/pickle_tensor.hpp"

namespace flipstorm
{
namespace pickle
{
namespace
{

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
        : pickle_(pickle), records_(records), depth_(depth), stack_(depth)
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
                stack_.mark();
                return true;
            case 'J':
                stack_.push_integer(static_cast<std::int32_t>(unsigned_number(4)));
                return true;
            case 'K':
                stack_.push_integer(static_cast<std::int64_t>(unsigned_number(1)));
                return true;
            case 'M':
                stack_.push_integer(static_cast<std::int64_t>(unsigned_number(2)));
                return true;
            case 0x8a:
                push_long(unsigned_number(1));
                return true;
            case 'G':
                take(8);
                stack_.push({});
                return true;
            case 'N':
            case 0x88:
            case 0x89:
            case '}':
            case ']':
                stack_.push({});
                return true;
            case 'X':
            case 'T':
                stack_.push_text(Kind::text, take(unsigned_number(4)));
                return true;
            case 'U':
            case 0x8c:
                stack_.push_text(Kind::text, take(unsigned_number(1)));
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
                stack_.push_tuple({});
                break;
            case 0x85:
            case 0x86:
            case 0x87:
                stack_.push_tuple(stack_.pop_many(code - 0x84U));
                break;
            case 't':
                stack_.push_tuple(stack_.pop_to_mark());
                break;
            case 'a':
                stack_.add_to_top(stack_.pop_many(1));
                break;
            case 's':
                stack_.add_to_top(stack_.pop_many(2));
                break;
            case 'e':
            case 'u':
                stack_.add_to_top(stack_.pop_to_mark());
                break;
            case 'b':
                stack_.add_to_top(stack_.pop_many(1));
                break;
            case 0x81:  // an object of a class, without arguments
                stack_.pop_many(1);
                stack_.top() = Value{};
                break;
            case 'R':
                reduce();
                break;
            case 'Q':
                stack_.push(storage_of(stack_.pop(), records_));
                break;
            case 'q':
                stack_.name(unsigned_number(1));
                break;
            case 'r':
                stack_.name(unsigned_number(4));
                break;
            case 'h':
                stack_.push_named(unsigned_number(1));
                break;
            case 'j':
                stack_.push_named(unsigned_number(4));
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

    void push_long(std::uint64_t bytes)
    {
        FS_CHECK(Problem, bytes <= 8, "it has an integer of {} bytes", bytes);
        std::uint64_t number = unsigned_number(bytes);
        const std::uint64_t sign = bytes == 0 ? 0 : std::uint64_t{1} << (8 * bytes - 1);
        if ((number & sign) != 0 && bytes < 8) number |= ~std::uint64_t{0} << (8 * bytes);
        stack_.push_integer(static_cast<std::int64_t>(number));
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
        stack_.push_text(Kind::global, pickle_.substr(begin, at_ - begin));
    }

    /// The result of a function for a tuple of arguments.
    void reduce()
    {
        const Value arguments = stack_.pop();
        const Value function = stack_.pop();
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
        stack_.push(std::move(result));
    }

    std::string_view pickle_;
    const RecordBytes& records_;
    std::size_t depth_;
    Stack stack_;
    std::size_t at_ = 0;
};

}  // namespace
}  // namespace pickle

std::optional<std::string> pickle_problem(std::string_view pickle, const RecordBytes& records,
                                          std::size_t depth)
{
    try
    {
        pickle::Machine(pickle, records, depth).run();
    }
    catch (const pickle::Problem& problem)
    {
        return problem.what();
    }
    return std::nullopt;
}

}  // namespace flipstorm
