#include "engine/memory/codes/protection_scheme.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// What a scheme does, behind its name in a text that goes through all of them.
std::string explained(const ProtectionScheme& scheme)
{
    switch (scheme.coverage)
    {
        case Coverage::all:
            if (!scheme.code) return {};
            if (scheme.code_word_bits > 0)
                return fmt::format(" ({} on words of {} bits)", code_traits(*scheme.code).title,
                                   scheme.code_word_bits);
            return fmt::format(" ({} on every parameter)", code_traits(*scheme.code).title);
        case Coverage::critical:
            return " (on the flagged ones, with a signature)";
        case Coverage::optimized:
            return " (for each layer what the optimizer finds)";
    }
    throw Error("no coverage is number {}", static_cast<int>(scheme.coverage));
}

const ProtectionScheme& scheme_named(const std::string& name)
{
    const ProtectionScheme* const scheme = find_protection_scheme(name);
    FS_REQUIRE(scheme != nullptr, "no scheme '{}'", name);
    return *scheme;
}

}  // namespace

const std::vector<ProtectionScheme>& protection_schemes()
{
    static const std::vector<ProtectionScheme> schemes{
        {"none", std::nullopt, Coverage::all},
        {"sec_all", CodeKind::hamming_sec, Coverage::all},
        {"sec_64", CodeKind::hamming_sec, Coverage::all, 64},
        {"sec_ded_64", CodeKind::hsiao_sec_ded, Coverage::all, 64},
        {"sec_critical", CodeKind::hamming_sec, Coverage::critical},
        {"optimized", std::nullopt, Coverage::optimized}};
    return schemes;
}

std::vector<std::string> protection_scheme_names()
{
    std::vector<std::string> names;
    for (const ProtectionScheme& scheme : protection_schemes())
        names.push_back(scheme.name);
    return names;
}

const ProtectionScheme& sec_all_scheme()
{
    return scheme_named("sec_all");
}

const ProtectionScheme& sec_critical_scheme()
{
    return scheme_named("sec_critical");
}

const ProtectionScheme* find_protection_scheme(const std::string& name)
{
    const std::vector<ProtectionScheme>& schemes = protection_schemes();
    const auto found = std::find_if(schemes.begin(), schemes.end(),
                                    [&](const ProtectionScheme& scheme) { return scheme.name == name; });
    return found != schemes.end() ? &*found : nullptr;
}

std::string protection_scheme_choices(char quote)
{
    const std::vector<std::string> names = protection_scheme_names();
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i)
    {
        const char* const between = i == 0 ? "" : i + 1 == names.size() ? " or " : ", ";
        text += fmt::format("{}{}{}{}", between, quote, names[i], quote);
    }
    return text;
}

std::string protection_schemes_text()
{
    std::string text;
    for (const ProtectionScheme& scheme : protection_schemes())
        text += fmt::format("{}`{}`{}", text.empty() ? "" : ", ", scheme.name, explained(scheme));
    return text;
}

}  // namespace flipstorm
