#pragma once
// What can be done for one layer's words: every way to keep them that may be worth it, with its price and
// with what it leaves.

#include <cstdint>
#include <vector>

#include "engine/memory/codes/layer_code.hpp"
#include "engine/memory/stored_tensor.hpp"

namespace flipstorm
{

/// What upsets of a layer's bits do.
struct LayerRisk
{
    std::uint64_t weights = 0;
    std::vector<double> of_bit;  ///< [word bits]: Σ over the weights of the probability that its upset is
                                 ///< critical; bit 0 is the least significant
    std::vector<double> of_bit_high;  ///< the same of the upper limits of these probabilities
};

/// How upsets come.
struct UpsetRates
{
    double ber = 0;             ///< probability of each bit to be upset before the memory is written anew
    double adjacent_share = 0;  ///< of the upsets, those that hit the next bit, too; 0 … 1
};

/// What options may do.
struct OptionRules
{
    UpsetRates upsets;
    /// Largest change of a layer's weights that an option may bring where no upset is: root mean square of
    /// the changes over that of the weights.
    double max_change = 0;
};

/// A way to keep a layer.
struct LayerOption
{
    LayerCode code;
    std::uint64_t extra_bits = 0;
    double risk = 0;         ///< critical upsets to expect, divided by `ber`: of a layer as it is, Σ of_bit
    double single = 0;       ///< the same of upsets of single bits alone
    double single_high = 0;  ///< the same of the upper limits
    double change = 0;       ///< as OptionRules::max_change counts it
    double xors = 0;         ///< of the decoder, for each word
};

/**
 * Critical upsets to expect of a layer that is kept so, divided by the probability of an upset per bit.
 *
 * Bits under no code count with their risk, forced bits and copies with none; a top bit that copies follow
 * counts as the lowest of them, which makes the same step. A code that corrects leaves what strikes twice:
 * with N bits (check bits among them) N(N − 1)/2 pairs of each code word, of probability ber² each, as bad as
 * three average covered bits (two, and the one that a decoder then takes for wrong), or as two where double
 * errors are detected; and the share of upsets that hit two neighbours in memory which share a code word: two
 * data bits, or two check bits, which a decoder takes for a data bit unless it detects double errors. A code
 * that detects and zeroes leaves words of zero: as bad as the flip that divides a float by a large power of
 * two, or takes at least its size from a whole number (`zero_risk`).
 */
[[nodiscard]] double risk_left(std::uint64_t weights, const std::vector<double>& of_bit,
                               const LayerCode& code, const UpsetRates& upsets);

/// Risk of a weight read as 0, Σ over the weights, from the bits whose upsets do as much; infinite where no
/// bit tells. \param equal  forced bits and copies of the layer
[[nodiscard]] double zero_risk(const std::vector<double>& of_bit, const LayerCode& equal);

/// Bits that all words share, below the top one: forced, or copies of the sign of whole numbers. No value
/// changes. `widen` more bits than are equal may change some (golden_words).
[[nodiscard]] LayerCode equal_bits(const StoredTensor& words, int widen = 0);

/// Change of a layer's weights where no upset is (OptionRules::max_change). 0 of weights that are all 0.
[[nodiscard]] double golden_change(const StoredTensor& words, const LayerCode& code);

/**
 * The ways that may be worth it: as it is; equal bits forced; under Hamming's and Hsiao's codes the m bits of
 * most risk, for every m, of single words and of as many as make 57 data bits, interleaved or not, with check
 * bits beside the words, or in place of equal and of the lowest bits; parity with zero; three copies. Of
 * these, those that no other of as many bits, or fewer, leaves less of, by rising bits. Among equals (their
 * risks differ by less than a millionth of the layer's) first what changes the weights least, then what
 * leaves least by the upper limits, then the cheaper decoder.
 *
 * \param words  null: not known; then no bits are equal, and none are given up
 * \return at least one, the first of no extra bit. Thread-safe. \throws Error unless risk and words are of
 * one layer
 */
[[nodiscard]] std::vector<LayerOption> layer_options(const LayerRisk& layer, const StoredTensor* words,
                                                     const OptionRules& rules);

}  // namespace flipstorm
