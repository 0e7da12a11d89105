#include "engine/memory/codes/protection_scheme.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// The table of names. A coverage without one does not compile. Null: none has that number.
const char* name_of(Coverage coverage)
{
    switch (coverage)
    {
        case Coverage::all:
            return "all";
        case Coverage::critical:
            return "critical";
    }
    return nullptr;
}

/// What a scheme does, behind its name in a text that goes through all of them.
std::string explained(const ProtectionScheme& scheme)
{
    if (!scheme.code) return {};
    switch (scheme.coverage)
    {
        case Coverage::all:
            return fmt::format(" ({} on every parameter)", code_traits(*scheme.code).title);
        case Coverage::critical:
            return " (on the flagged ones, with a signature)";
    }
    throw Error("no coverage is number {}", static_cast<int>(scheme.coverage));
}

std::vector<ProtectionScheme> all_schemes()
{
    std::vector<ProtectionScheme> schemes{{"none", std::nullopt, Coverage::all}};
    for (const CodeKind code : codes())
    {
        // What the others are worth shows with upsets of several bits, and none are counted here.
        if (code != CodeKind::hamming_sec) continue;
        for (std::uint8_t c = 0; const char* name = name_of(static_cast<Coverage>(c)); ++c)
            schemes.push_back({code_traits(code).name + "_" + name, code, static_cast<Coverage>(c)});
    }
    return schemes;
}

}  // namespace

const std::vector<ProtectionScheme>& protection_schemes()
{
    static const std::vector<ProtectionScheme> schemes = all_schemes();
    return schemes;
}

std::vector<std::string> protection_scheme_names()
{
    std::vector<std::string> names;
    for (const ProtectionScheme& scheme : protection_schemes())
        names.push_back(scheme.name);
    return names;
}

const ProtectionScheme& protection_scheme(CodeKind code, Coverage coverage)
{
    const std::vector<ProtectionScheme>& schemes = protection_schemes();
    const auto found = std::find_if(schemes.begin(), schemes.end(), [&](const ProtectionScheme& scheme) {
        return scheme.code == code && scheme.coverage == coverage;
    });
    FS_REQUIRE(found != schemes.end(), "no scheme has code {} and coverage {}", static_cast<int>(code),
               static_cast<int>(coverage));
    return *found;
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
