#pragma once
// Text that comes from outside (files, job keys, other programs) made fit for a terminal or a log: no byte of
// it can move the cursor, change colours or titles, or break the encoding.

#include <cstddef>
#include <string>
#include <string_view>

namespace flipstorm
{

/// Whether line breaks and tabs belong to a text's layout.
enum class TextLines
{
    one,   ///< the text is a name or a value: they are escaped like every control character
    many,  ///< the text is a document (a job file, a report): `\n` and `\t` stay
};

/**
 * Length in bytes of the UTF-8 character that begins at `at`; 0 if none does.
 *
 * As RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. Thread-safe.
 */
[[nodiscard]] std::size_t utf8_length(std::string_view text, std::size_t at) noexcept;

/**
 * The text with every byte that is no part of printable UTF-8 written as `\xNN`.
 *
 * Escaped are the control characters U+0000–U+001F, U+007F and U+0080–U+009F, and all bytes that are not
 * UTF-8; everything else stays as it is, backslashes too: the result is for people to read, not for programs
 * to read back. Thread-safe.
 */
[[nodiscard]] std::string printable(std::string_view text, TextLines lines = TextLines::one);

}  // namespace flipstorm
