#include "engine/network/import/torchscript/script_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <vector>

namespace flipstorm
{
namespace
{

bool is_word(char c)
{
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Words that join or wrap expressions, as operators do.
bool is_operator(std::string_view word)
{
    constexpr std::string_view kOperators[] = {"and", "or", "not", "if", "else", "for", "in", "is", "lambda"};
    return std::find(std::begin(kOperators), std::end(kOperators), word) != std::end(kOperators);
}

/**
 * Goes through a text once and bounds the height of every expression from above: each operator, each dot and
 * each bracket adds one to that of what it joins; commas separate.
 */
class Scan
{
  public:
    Scan(std::string_view text, const ScriptLimits& limits) : text_(text), limits_(limits) {}

    std::optional<std::string> run()
    {
        begin_line();
        while (at_ < text_.size() && !excess_)
            step(text_[at_]);
        if (!excess_) end_expression();
        return excess_;
    }

  private:
    /// What is open between two brackets, or on the line.
    struct Level
    {
        std::size_t operators = 0;  ///< since the last comma
        std::size_t inside = 0;     ///< height of the highest bracket since the last comma
        std::size_t highest = 0;    ///< before the last comma
    };

    void step(char c)
    {
        if (is_word(c))
        {
            const std::size_t begin = at_;
            while (at_ < text_.size() && is_word(text_[at_]))
                ++at_;
            const std::string_view word = text_.substr(begin, at_ - begin);
            if (is_operator(word)) add_operator();
            if (word == "elif" && ++elifs_ > limits_.elifs)
                refuse(fmt::format("more than {} branches with elif", limits_.elifs));
            return;
        }
        switch (c)
        {
            case ' ':
            case '\t':
            case '\r':
                break;
            case '\n':
                ++line_;
                ++at_;
                if (levels_.size() > 1) return;
                end_expression();
                begin_line();
                return;
            case '\\':  // joins lines
                if (text_.compare(at_ + 1, 1, "\n") == 0)
                {
                    ++line_;
                    ++at_;
                }
                break;
            case '#':
                // LibTorch reads types from comments.
                if (text_.compare(at_, std::strlen("# type:"), "# type:") == 0) break;
                at_ = std::min(text_.size(), text_.find('\n', at_));
                return;
            case '"':
            case '\'':
                skip_string(c);
                return;
            case '(':
            case '[':
            case '{':
                add_operator();
                levels_.push_back({});
                break;
            case ')':
            case ']':
            case '}':
                close_bracket();
                break;
            case ',':
                end_element();
                break;
            default:
                add_operator();
        }
        ++at_;
    }

    void add_operator()
    {
        ++levels_.back().operators;
        ++open_;
        check();
    }

    void check()
    {
        const Level& level = levels_.back();
        if (std::max(open_, level.operators + level.inside) > limits_.height)
            refuse(fmt::format("an expression of more than {} operations in each other", limits_.height));
    }

    void end_element()
    {
        Level& level = levels_.back();
        open_ -= level.operators;
        level = {0, 0, std::max(level.highest, level.operators + level.inside)};
    }

    void close_bracket()
    {
        if (levels_.size() == 1) return;
        end_element();
        const std::size_t height = levels_.back().highest;
        levels_.pop_back();
        levels_.back().inside = std::max(levels_.back().inside, height);
        check();
    }

    void end_expression()
    {
        levels_.assign(1, {});
        open_ = 0;
    }

    /// Count the blocks that a line of code is in.
    void begin_line()
    {
        const std::size_t begin = at_;
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t'))
            ++at_;
        if (at_ == text_.size() || text_[at_] == '\n' || text_[at_] == '#') return;
        const std::size_t indent = at_ - begin;
        while (!blocks_.empty() && blocks_.back() > indent)
            blocks_.pop_back();
        if (indent > (blocks_.empty() ? 0 : blocks_.back())) blocks_.push_back(indent);
        if (blocks_.size() > limits_.blocks)
            refuse(fmt::format("more than {} blocks in each other", limits_.blocks));
    }

    /// From its first quote behind its last, as LibTorch finds it.
    void skip_string(char quote)
    {
        const std::string three(3, quote);
        const bool is_long = text_.compare(at_, 3, three) == 0;
        at_ += is_long ? 3 : 1;
        while (at_ < text_.size())
        {
            if (text_[at_] == quote && (!is_long || text_.compare(at_, 3, three) == 0))
            {
                at_ += is_long ? 3 : 1;
                return;
            }
            if (text_[at_] == '\n' && !is_long) break;
            if (text_[at_] == '\\')
            {
                ++at_;
                if (at_ == text_.size()) break;
            }
            if (text_[at_] == '\n') ++line_;
            ++at_;
        }
        refuse("a string that does not end");
    }

    void refuse(const std::string& reason)
    {
        if (!excess_) excess_ = fmt::format("line {} has {}", line_, reason);
    }

    std::string_view text_;
    const ScriptLimits& limits_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
    std::vector<Level> levels_ = std::vector<Level>(1);
    std::size_t open_ = 0;             ///< operators of all open levels
    std::vector<std::size_t> blocks_;  ///< their indents
    std::size_t elifs_ = 0;
    std::optional<std::string> excess_;
};

}  // namespace

std::optional<std::string> script_excess(std::string_view text, const ScriptLimits& limits)
{
    return Scan(text, limits).run();
}

}  // namespace flipstorm
