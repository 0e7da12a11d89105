#include "jobs/job_file/toml_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace flipstorm
{
namespace
{

/// Goes through a text once, knowing strings and comments from structure.
class Scan
{
  public:
    Scan(std::string_view text, const TomlLimits& limits) : text_(text), limits_(limits) {}

    std::optional<TomlExcess> run()
    {
        while (at_ < text_.size() && !excess_)
            step(text_[at_]);
        if (!excess_) end_line();
        return excess_;
    }

  private:
    void step(char c)
    {
        switch (c)
        {
            case '\n':
                end_line();
                next_line();
                if (open_.empty()) begin_key();
                return;
            case '#':
                at_ = std::min(text_.size(), text_.find('\n', at_));
                return;
            case '"':
            case '\'':
                skip_string(c);
                return;
            case '[':
            case '{':
                open_.push_back(0);
                if (open_.size() > limits_.depth) refuse_depth();
                begin_key();
                break;
            case ']':
            case '}':
                if (!open_.empty()) open_.pop_back();
                begin_key();
                break;
            case ',':
                if (!open_.empty() && ++open_.back() >= limits_.list)
                    refuse("a list has more than {} elements", limits_.list);
                begin_key();
                break;
            case '=':
                end_key();
                break;
            case '.':
                if (++dots_ >= limits_.depth) refuse_depth();
                break;
            default:
                break;
        }
        ++at_;
    }

    void begin_key()
    {
        key_ = at_ + 1;
        dots_ = 0;
    }

    void end_key()
    {
        if (at_ > key_ && at_ - key_ > limits_.key) refuse("a key has more than {} bytes", limits_.key);
        if (++keys_ > limits_.keys) refuse("there are more than {} keys", limits_.keys);
        begin_key();
    }

    void end_line()
    {
        if (at_ - line_begin_ > limits_.line)
            refuse("the line has more than {} bytes; lists may go over several lines", limits_.line);
    }

    void next_line()
    {
        ++at_;
        ++line_;
        line_begin_ = at_;
    }

    /// From its first quote behind its last; to the end of the line or the text if it is not closed.
    void skip_string(char quote)
    {
        const std::string three(3, quote);
        const bool is_long = text_.compare(at_, 3, three) == 0;
        at_ += is_long ? 3 : 1;
        while (at_ < text_.size())
        {
            if (text_[at_] == '\n' && !is_long) return;
            if (text_[at_] == '\n')
            {
                next_line();
                continue;
            }
            if (quote == '"' && text_[at_] == '\\')
            {
                at_ += text_.compare(at_ + 1, 1, "\n") == 0 ? 1 : 2;
                continue;
            }
            if (text_[at_] == quote && (!is_long || text_.compare(at_, 3, three) == 0))
            {
                at_ += is_long ? 3 : 1;
                return;
            }
            ++at_;
        }
        at_ = std::min(at_, text_.size());
    }

    template<class Limit>
    void refuse(fmt::format_string<const Limit&> reason, const Limit& limit)
    {
        if (!excess_) excess_ = TomlExcess{line_, fmt::format(reason, limit)};
    }

    void refuse_depth() { refuse("lists and tables are nested more than {} deep", limits_.depth); }

    std::string_view text_;
    const TomlLimits& limits_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
    std::size_t line_begin_ = 0;
    std::size_t key_ = 0;            ///< where a key could begin
    std::size_t dots_ = 0;           ///< in it
    std::size_t keys_ = 0;           ///< so far
    std::vector<std::size_t> open_;  ///< commas in each list and table that is open
    std::optional<TomlExcess> excess_;
};

}  // namespace

std::optional<TomlExcess> toml_excess(std::string_view text, const TomlLimits& limits)
{
    return Scan(text, limits).run();
}

}  // namespace flipstorm
