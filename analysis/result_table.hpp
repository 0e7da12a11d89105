#pragma once
// A table of results, as the terminal and the report show it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace flipstorm
{

/// Finished cells under column heads; the first `text_columns` columns are text, the others numbers.
struct ResultTable
{
    std::string title;
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;  ///< each as long as `columns`
    std::string note;                            ///< how to read it; may be empty
    std::size_t text_columns = 1;
    std::ptrdiff_t marked = -1;  ///< row that stands out; −1: none
};

/// Aligned plain text, then the note, with a line feed at the end; the marked row carries an asterisk.
std::string render_text(const ResultTable& table);

/// An HTML fragment: a figure element with caption, table and note. Cells are escaped.
std::string render_html(const ResultTable& table);

/// Text with &, <, > and quotes as HTML entities.
std::string escape_html(const std::string& text);

/// A share 0 … 1 in percent with `decimals` digits, without the sign; "-" for NaN.
std::string format_percent(double share, int decimals = 2);

/// The same with so many significant digits, however small: "0.0123", "1.2e-07".
std::string format_share(double share, int digits = 3);

/// A number with so many decimals; "-" for NaN.
std::string format_number(double value, int decimals);

/// A whole number with thousands separated by commas.
std::string format_count(std::uint64_t count);

/// A name of a job file or an HDF5 file in a sentence: underscores become blanks.
std::string in_words(std::string name);

}  // namespace flipstorm
