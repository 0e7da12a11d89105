#include "analysis/result_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "engine/base/printable_text.hpp"

namespace flipstorm
{
namespace
{

/// Characters of UTF-8 text, as wide as a terminal shows it.
std::size_t width(const std::string& text)
{
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t columns, bool left)
{
    const std::string space(columns - std::min(columns, width(text)), ' ');
    return left ? text + space : space + text;
}

/// Text in indented lines of at most 110 characters.
std::string wrapped(const std::string& text)
{
    constexpr std::size_t kWidth = 110;
    std::istringstream words(text);
    std::string lines;
    std::string line;
    for (std::string word; words >> word;)
    {
        if (!line.empty() && width(line) + 1 + width(word) > kWidth)
        {
            lines += line + "\n";
            line.clear();
        }
        line += (line.empty() ? "  " : " ") + word;
    }
    return line.empty() ? lines : lines + line + "\n";
}

}  // namespace

std::string format_percent(double share, int decimals)
{
    return format_number(100.0 * share, decimals);
}

std::string format_share(double share, int digits)
{
    return std::isnan(share) ? "-" : fmt::format("{:.{}g}", 100 * share, digits);
}

std::string in_words(std::string name)
{
    std::replace(name.begin(), name.end(), '_', ' ');
    return name;
}

std::string format_number(double value, int decimals)
{
    return std::isnan(value) ? "-" : fmt::format("{:.{}f}", value, decimals);
}

std::string format_count(std::uint64_t count)
{
    std::string digits = std::to_string(count);
    for (std::size_t at = digits.size(); at > 3;)
    {
        at -= 3;
        digits.insert(at, ",");
    }
    return digits;
}

std::string render_text(const ResultTable& raw)
{
    ResultTable table = raw;  // names of layers and variants may come from anywhere
    for (std::vector<std::string>& row : table.rows)
    {
        for (std::string& cell : row)
            cell = printable(cell);
    }
    table.title = printable(raw.title);
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < table.columns.size(); ++c)
    {
        std::size_t widest = width(table.columns[c]);
        for (const auto& row : table.rows)
            widest = std::max(widest, width(row[c]));
        widths.push_back(widest);
    }
    const auto line = [&](const std::vector<std::string>& cells, const std::string& margin) {
        std::string text = margin;
        for (std::size_t c = 0; c < cells.size(); ++c)
        {
            text += (c > 0 ? "  " : "") + padded(cells[c], widths[c], c < table.text_columns);
        }
        text.erase(text.find_last_not_of(' ') + 1);
        return text + "\n";
    };
    std::vector<std::string> rule;
    for (const std::size_t w : widths)
        rule.emplace_back(w, '-');
    std::string text = table.title + "\n" + line(table.columns, "  ") + line(rule, "  ");
    for (std::size_t r = 0; r < table.rows.size(); ++r)
    {
        text += line(table.rows[r], static_cast<std::ptrdiff_t>(r) == table.marked ? "* " : "  ");
    }
    return text + wrapped(table.note);
}

std::string render_html(const ResultTable& table)
{
    std::string html =
        fmt::format("<figure class=\"table\">\n<figcaption>{}</figcaption>\n<table>\n<thead><tr>",
                    escape_html(table.title));
    const auto kind = [&table](std::size_t c) { return c < table.text_columns ? " class=\"text\"" : ""; };
    for (std::size_t c = 0; c < table.columns.size(); ++c)
    {
        html += fmt::format("<th{}>{}</th>", kind(c), escape_html(table.columns[c]));
    }
    html += "</tr></thead>\n<tbody>\n";
    for (std::size_t r = 0; r < table.rows.size(); ++r)
    {
        html += static_cast<std::ptrdiff_t>(r) == table.marked ? "<tr class=\"marked\">" : "<tr>";
        for (std::size_t c = 0; c < table.rows[r].size(); ++c)
        {
            html += fmt::format("<td{}>{}</td>", kind(c), escape_html(table.rows[r][c]));
        }
        html += "</tr>\n";
    }
    html += "</tbody>\n</table>\n";
    if (!table.note.empty()) html += fmt::format("<p class=\"note\">{}</p>\n", escape_html(table.note));
    return html + "</figure>\n";
}

std::string escape_html(const std::string& text)
{
    std::string html;
    for (const char c : text)
    {
        switch (c)
        {
            case '&':
                html += "&amp;";
                break;
            case '<':
                html += "&lt;";
                break;
            case '>':
                html += "&gt;";
                break;
            case '"':
                html += "&quot;";
                break;
            case '\'':
                html += "&#39;";
                break;
            default:
                html += c;
        }
    }
    return html;
}

}  // namespace flipstorm
