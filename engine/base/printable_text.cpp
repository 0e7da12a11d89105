#include "engine/base/printable_text.hpp"

#include <fmt/format.h>

namespace flipstorm
{
namespace
{

struct Utf8Lead
{
    std::size_t length;
    unsigned char second_low;  // range of the second byte, narrower after some leads (RFC 3629, section 4)
    unsigned char second_high;
};

Utf8Lead read_lead(unsigned char lead) noexcept
{
    if (lead < 0x80) return {1, 0, 0};
    if (lead < 0xC2) return {0, 0, 0};
    if (lead < 0xE0) return {2, 0x80, 0xBF};
    if (lead == 0xE0) return {3, 0xA0, 0xBF};
    if (lead == 0xED) return {3, 0x80, 0x9F};
    if (lead < 0xF0) return {3, 0x80, 0xBF};
    if (lead == 0xF0) return {4, 0x90, 0xBF};
    if (lead < 0xF4) return {4, 0x80, 0xBF};
    if (lead == 0xF4) return {4, 0x80, 0x8F};
    return {0, 0, 0};
}

bool is_control(std::string_view character) noexcept
{
    const auto first = static_cast<unsigned char>(character.front());
    if (character.size() == 1) return first < 0x20 || first == 0x7F;
    return character.size() == 2 && first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) noexcept
{
    if (at >= text.size()) return 0;
    const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const Utf8Lead lead = read_lead(byte(at));
    if (lead.length < 2) return lead.length;
    if (lead.length > text.size() - at) return 0;
    if (byte(at + 1) < lead.second_low || byte(at + 1) > lead.second_high) return 0;
    for (std::size_t i = at + 2; i < at + lead.length; ++i)
    {
        if ((byte(i) & 0xC0U) != 0x80U) return 0;
    }
    return lead.length;
}

std::string printable(std::string_view text, TextLines lines)
{
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();)
    {
        const std::size_t length = utf8_length(text, at);
        const std::string_view bytes = text.substr(at, length > 0 ? length : 1);
        const bool is_layout = lines == TextLines::many && (bytes == "\n" || bytes == "\t");
        if (is_layout || (length > 0 && !is_control(bytes)))
        {
            result += bytes;
        }
        else
        {
            for (const char byte : bytes)
                result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
        }
        at += bytes.size();
    }
    return result;
}

}  // namespace flipstorm
