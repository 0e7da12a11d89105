#pragma once
// A job file as plain text: is it text at all, and where does a syntax error lie. Pure functions.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace flipstorm
{

/// Offset of the first byte that is not part of UTF-8 text, control characters included; none if all are.
std::optional<std::size_t> first_bad_byte(std::string_view text);

/// Line `line`, counted from 1, without blanks at its ends; empty if there is none.
std::string line_of(const std::string& text, std::size_t line);

/// The text if it has at most so many bytes, else its beginning and "…"; characters stay whole.
std::string shortened(const std::string& text, std::size_t longest);

/// A syntax error as a user wants to read it.
struct SyntaxProblem
{
    std::size_t line = 0;    ///< from 1; 0: unknown
    std::size_t column = 0;  ///< in bytes, from 1
    std::string reason;
};

/**
 * Read the message of toml11, whose own location points to the start of the line, or of the value, for some
 * errors.
 *
 * The message shows lines of the source as ` 7 | name = night`, and below them marks `   |        ^---
 * remark` or `~~~~`; the last mark is the place.
 */
SyntaxProblem read_syntax_message(const std::string& message);

}  // namespace flipstorm
