#pragma once
// Ways to protect the parameters of a network: none, one of the codes on all of them or on those that are
// flagged, or what the optimizer finds. Their names are those of harden.options and protection.h5.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/memory/codes/code.hpp"

namespace flipstorm
{

/// Which parameters a code covers.
enum class Coverage : std::uint8_t
{
    all,
    critical,   ///< those flagged as critical; one signature bit of each parameter says which
    optimized,  ///< what the optimizer finds for each layer (analysis/protection.hpp)
};

/// A code and what it covers; no code where nothing is protected, or each layer otherwise.
struct ProtectionScheme
{
    std::string name;
    std::optional<CodeKind> code;
    Coverage coverage = Coverage::all;
    int code_word_bits = 0;  ///< data bits of a code word, of as many parameters as fit; 0: of one parameter
};

/// All schemes. Thread-safe.
[[nodiscard]] const std::vector<ProtectionScheme>& protection_schemes();

/// Their names, in the same order: what `harden.options` of a job may say. Thread-safe.
[[nodiscard]] std::vector<std::string> protection_scheme_names();

/// Single-error correction of every parameter, and of those that are flagged (DATE 2023). Thread-safe.
[[nodiscard]] const ProtectionScheme& sec_all_scheme();
[[nodiscard]] const ProtectionScheme& sec_critical_scheme();

/// Scheme of that name; null if there is none. Thread-safe.
[[nodiscard]] const ProtectionScheme* find_protection_scheme(const std::string& name);

/// Their names as the end of a sentence: "'none', 'sec_all' or 'sec_critical'". Thread-safe.
[[nodiscard]] std::string protection_scheme_choices(char quote);

/// What the schemes are, in words: "`none`, `sec_all` (Hamming SEC on every parameter), …". Thread-safe.
[[nodiscard]] std::string protection_schemes_text();

}  // namespace flipstorm
