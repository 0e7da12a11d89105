#pragma once
// Ways to protect the parameters of a network: none, or one of the codes, on all of them or on those that are
// flagged. Their names are those of harden.options and protection.h5.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/memory/codes/code.hpp"

namespace flipstorm
{

/// Which parameters a code covers; numbered from 0 without a gap.
enum class Coverage : std::uint8_t
{
    all,
    critical,  ///< those flagged as critical; one signature bit of each parameter says which
};

/// A code and what it covers; none of either where nothing is protected.
struct ProtectionScheme
{
    std::string name;  ///< "none", or the code's name with "_all" or "_critical"
    std::optional<CodeKind> code;
    Coverage coverage = Coverage::all;
};

/// All schemes: none, then those of Hamming's code. Thread-safe.
[[nodiscard]] const std::vector<ProtectionScheme>& protection_schemes();

/// Their names, in the same order: what `harden.options` of a job may say. Thread-safe.
[[nodiscard]] std::vector<std::string> protection_scheme_names();

/// Scheme of a code and coverage. Thread-safe.
[[nodiscard]] const ProtectionScheme& protection_scheme(CodeKind code, Coverage coverage);

/// Scheme of that name; null if there is none. Thread-safe.
[[nodiscard]] const ProtectionScheme* find_protection_scheme(const std::string& name);

/// Their names as the end of a sentence: "'none', 'sec_all' or 'sec_critical'". Thread-safe.
[[nodiscard]] std::string protection_scheme_choices(char quote);

/// What the schemes are, in words: "`none`, `sec_all` (Hamming SEC on every parameter), …". Thread-safe.
[[nodiscard]] std::string protection_schemes_text();

}  // namespace flipstorm
