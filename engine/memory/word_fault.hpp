#pragma once
// Fault models: which bits of a stored word an upset hits, and what becomes of them. Functions of the word
// alone; how a word reads as a number is the number format's business.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flipstorm
{

/// Bits of the longest word that can be hit: a stored one with the check bits of its code.
constexpr int kLongestWord = 64;

/// Most bits that one upset hits: those of the column `/faults/mask` of campaign.h5.
constexpr int kMostUpsetBits = 32;

/// What can happen to a stored word; numbered from 0 without a gap.
enum class FaultModel : std::uint8_t
{
    bit_flip,       ///< one bit flips: a single event upset
    stuck_at,       ///< one bit reads as 0, or as 1: both are faults of the population
    stuck_at_0,     ///< one bit reads as 0
    stuck_at_1,     ///< one bit reads as 1
    adjacent_bits,  ///< k bits side by side flip: a multi-bit upset of a burst
    random_bits,    ///< k bits of the word flip, wherever they are
};

/// Model of that name ("bit_flip"). \throws JobError naming the known ones.
FaultModel fault_model_from(std::string_view name);

/// Name of a model, as in job files and campaign.h5. \throws Error for a number that is no model's.
std::string to_string(FaultModel model);

/// Names of all models, in the order of the enumeration: what `campaign.fault_model` may say. Thread-safe.
[[nodiscard]] std::vector<std::string> fault_model_names();

/// What happens to the bits that are hit.
enum class BitEffect : std::uint8_t
{
    flipped = 0,
    stuck_at_0 = 1,
    stuck_at_1 = 2,
};

/// A fault of a word: the bits that are hit, bit 0 the least significant, and what becomes of them.
struct WordFault
{
    std::uint64_t mask = 0;
    BitEffect effect = BitEffect::flipped;

    friend bool operator==(WordFault a, WordFault b) { return a.mask == b.mask && a.effect == b.effect; }
};

/// The flip of one bit. \throws Error unless 0 ≤ bit < kLongestWord. Thread-safe.
[[nodiscard]] WordFault bit_flip(int bit);

/// A fault model and how many bits it hits.
struct UpsetModel
{
    FaultModel model = FaultModel::bit_flip;
    int bits = 1;  ///< k of adjacent_bits and random_bits; 1 for the others

    /// True for models that hit one bit of a word: what a code that corrects one error is made for.
    [[nodiscard]] bool single_bit() const { return bits == 1; }
};

/**
 * A model of that name; `upset_bits` counts for adjacent_bits and random_bits only.
 * \throws JobError for an unknown name, or fewer than 2 bits where several are to be hit.
 */
UpsetModel upset_model(std::string_view name, std::int64_t upset_bits);

/**
 * Faults there are of a word of b bits: b for a model of one bit and one effect, 2 b for stuck_at, b − k + 1
 * adjacent and C(b, k) random ones; 0 where k exceeds b.
 *
 * \throws Error unless 1 ≤ b ≤ kLongestWord. Thread-safe.
 */
std::uint64_t faults_of_word(UpsetModel model, int word_bits);

/**
 * Those of them whose highest bit is `bit`: 1, 2 for stuck_at; 1 adjacent and C(bit, k − 1) random ones, none
 * of either where bit < k − 1. Sums to faults_of_word over the bits of a word. Thread-safe.
 */
std::uint64_t faults_of_bit(UpsetModel model, int bit);

/**
 * Fault `index` of a word, in [0, faults_of_word): by rising highest bit, then
 *
 * - stuck_at: first stuck at 0, then at 1;
 * - random_bits: in colexicographic order of the bits, the combinatorial number system (Knuth, TAOCP 4A,
 *   7.2.1.3): index = Σ C(c_i, i) for the bits c_k > … > c_1.
 *
 * \throws Error if there is no such fault, or the word has more than kLongestWord bits. Thread-safe.
 */
WordFault word_fault(UpsetModel model, int word_bits, std::uint64_t index);

/// Fault `index` of those with that highest bit, in [0, faults_of_bit), in the same order. \throws Error
WordFault word_fault_of_bit(UpsetModel model, int bit, std::uint64_t index);

/// The index of a fault among those of a word: the inverse of word_fault. \throws Error unless the model has
/// it. Thread-safe.
std::uint64_t index_of_fault(UpsetModel model, int word_bits, WordFault fault);

/// The index of a fault among those with its highest bit: the inverse of word_fault_of_bit. \throws Error as
/// index_of_fault. Thread-safe.
std::uint64_t index_of_fault_of_bit(UpsetModel model, int word_bits, WordFault fault);

/// Highest bit of a mask: the bit that stands for a fault of several bits. \throws Error if it is 0.
int highest_bit(std::uint64_t mask);

/// The word under the fault. A stuck-at fault that equals the stored bit changes nothing. Thread-safe.
std::uint64_t apply(WordFault fault, std::uint64_t word);

/// The mask of a fault of a stored word, which has at most 32 bits, as campaign.h5 keeps it. \throws Error if
/// it hits a bit beyond. Thread-safe.
[[nodiscard]] std::uint32_t stored_mask(WordFault fault);

/// Whether a model has this fault in a word of that many bits. Thread-safe.
bool belongs_to(UpsetModel model, int word_bits, WordFault fault);

}  // namespace flipstorm
