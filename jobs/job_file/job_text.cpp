#include "jobs/job_file/job_text.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "engine/base/printable_text.hpp"

namespace flipstorm
{

std::string line_of(const std::string& text, std::size_t line)
{
    std::istringstream stream(text);
    std::string content;
    for (std::size_t i = 0; i < line; ++i)
        std::getline(stream, content);
    const auto first = content.find_first_not_of(" \t\r");
    return first == std::string::npos ? ""
                                      : content.substr(first, content.find_last_not_of(" \t\r") - first + 1);
}

std::string shortened(const std::string& text, std::size_t longest)
{
    if (text.size() <= longest) return text;
    std::size_t end = longest;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
        --end;
    return text.substr(0, end) + "…";
}

SyntaxProblem read_syntax_message(const std::string& message)
{
    SyntaxProblem problem;
    std::istringstream rows(message);
    std::string title;
    std::getline(rows, title);
    std::string remark;
    std::size_t shown_line = 0;
    for (std::string row; std::getline(rows, row);)
    {
        constexpr std::string_view kGutter = " | ";
        const auto gutter = row.find(kGutter);
        if (gutter == std::string::npos) continue;
        const auto number = row.find_first_not_of(' ');
        if (number < gutter)
        {
            shown_line = std::strtoul(row.c_str() + number, nullptr, 10);
            continue;
        }
        const auto mark = row.find_first_of("^~", gutter);
        if (mark == std::string::npos) continue;
        problem.line = shown_line;
        problem.column = mark - gutter - kGutter.size() + 1;
        const auto text = row.find_first_not_of("^~- ", mark);
        remark = text == std::string::npos ? "" : row.substr(text);
    }
    // "[error] toml::parse_table: invalid line format": only the end is for users.
    for (const std::string_view lead : {"[error] ", "toml::"})
    {
        if (title.rfind(lead, 0) != 0) continue;
        title.erase(0, lead == "toml::" ? std::min(title.size(), title.find(": ") + 2) : lead.size());
    }
    for (std::string* text : {&title, &remark})
    {
        if (!text->empty() && text->back() == '.') text->pop_back();
    }
    const bool is_unquoted = title.empty() || title == "bad format: unknown value appeared";
    if (is_unquoted)
        problem.reason = "not a value; strings need quotes";
    else
        problem.reason = remark.empty() || remark == "here" ? title : title + ": " + remark;
    return problem;
}

std::optional<std::size_t> first_bad_byte(std::string_view text)
{
    for (std::size_t i = 0; i < text.size();)
    {
        const auto lead = static_cast<unsigned char>(text[i]);
        const bool control = (lead < 0x20 && lead != '\t' && lead != '\n' && lead != '\r') || lead == 0x7F;
        const std::size_t length = utf8_length(text, i);
        if (length == 0 || control) return i;
        i += length;
    }
    return std::nullopt;
}

}  // namespace flipstorm
