#pragma once
// Error-correcting codes of stored words: what they add to the memory, and what they make of upsets. The
// table of them; each is a file of this folder.

#include <cstdint>
#include <string>
#include <vector>

namespace flipstorm
{

/// Codes, numbered from 0 without a gap.
enum class CodeKind : std::uint8_t
{
    hamming_sec,    ///< single-error-correcting Hamming code
    hsiao_sec_ded,  ///< single-error-correcting, double-error-detecting code of Hsiao
    triplication,   ///< three copies of every bit
    parity,         ///< one check bit, which detects
};

/// What a decoder found.
enum class Verdict : std::uint8_t
{
    clean,      ///< a word of the code
    corrected,  ///< one near it: the data are those of the word of the code
    detected,   ///< none of the code, and none to correct it to: the data are as they were read
};

/// Data bits as decoded, and what was found on the way.
struct Decoded
{
    std::uint64_t data = 0;
    Verdict verdict = Verdict::clean;

    friend bool operator==(const Decoded& a, const Decoded& b)
    {
        return a.data == b.data && a.verdict == b.verdict;
    }
};

/**
 * A systematic code: the data bits stay as they are, check bits are stored beside them. k data bits, at most
 * 64, are the low bits of a word, so are the check bits of theirs. Its functions are pure and thread-safe.
 */
struct CodeTraits
{
    CodeKind kind = CodeKind::hamming_sec;
    std::string name;         ///< in the schemes of harden.options and protection.h5: "sec" of "sec_all"
    std::string title;        ///< as texts say it: "Hamming SEC"
    int corrects = 0;         ///< so many upsets of a word and its check bits are always put right
    int detects = 0;          ///< so many are never taken for none or for others: put right, or detected
    int most_data_bits = 64;  ///< of a word

    /// Check bits of k data bits. \throws Error if k < 1
    int (*check_bits)(int data_bits) = nullptr;
    /// The check bits of data. \throws Error unless 1 ≤ k ≤ most_data_bits and the data have no bit above
    std::uint64_t (*encode)(std::uint64_t data, int data_bits) = nullptr;
    /// What data and check bits decode to. \throws Error as encode, or if the check bits are more than there
    /// are
    Decoded (*decode)(std::uint64_t data, std::uint64_t check, int data_bits) = nullptr;
    /// Two-input exclusive ors that tell whether a word is one of the code, its stored check bits included:
    /// what the literature counts as the cost of a decoder. \throws Error unless 1 ≤ k ≤ most_data_bits
    int (*xors)(int data_bits) = nullptr;
};

/// Row of a code. \throws Error for a number that is no code's. Thread-safe.
[[nodiscard]] const CodeTraits& code_traits(CodeKind kind);

/// All codes, in the order of the enumeration. Thread-safe.
[[nodiscard]] const std::vector<CodeKind>& codes();

/// Sizes of a memory of words under a code, in bits.
struct ProtectedSize
{
    std::uint64_t data = 0;
    std::uint64_t check = 0;
};

/// Memory of so many words, each under the code. \throws Error if word_bits < 1. Thread-safe.
[[nodiscard]] ProtectedSize protected_size(CodeKind kind, std::uint64_t words, int word_bits);

}  // namespace flipstorm
