#pragma once
// Where the flags of "sec_critical" are kept: encodings of its signature, and what each costs.

#include <cstdint>
#include <string>
#include <vector>

#include "hdf5_schema/protection_file.hpp"

namespace flipstorm
{

/// The flags of a layer, with what encodings go by.
struct FlaggedLayer
{
    std::vector<std::uint8_t> flagged;   ///< [weights], row-major: 1 critical
    std::vector<std::uint8_t> negative;  ///< [weights]; empty: signs are not known
    std::int32_t word_bits = 0;
    std::uint64_t channels = 0;         ///< output channels
    std::uint64_t kernel_elements = 0;  ///< weights of an output and an input channel
};

/// Bits of the Elias-Fano code of `count` rising numbers below `universe`: for each its lower
/// l = ⌊log2(universe / count)⌋ bits, and the upper ones in unary. Thread-safe.
[[nodiscard]] std::uint64_t elias_fano_bits(std::uint64_t count, std::uint64_t universe);

/// Bits of the gaps between flags in the Golomb-Rice code of the best parameter, which takes five bits of its
/// own. Thread-safe.
[[nodiscard]] std::uint64_t run_length_bits(const std::vector<std::uint8_t>& flagged);

/**
 * The signature in each encoding, with the parity bits of the parameters that it flags and check bits of its
 * own (Hsiao's SEC-DED code over words of 64 bits: an upset flag would move all that follow).
 *
 * - `raw`: a flag for each parameter;
 * - `elias_fano`, `run_length`: where the flags of a layer are, or where they are not, whichever is shorter;
 * - `cells`: a flag for each output channel, input channel and sign; it flags every parameter of a cell that
 * has a flagged one, which is lossless if the model does not see the position in the kernel;
 * - `channels`: a flag for each output channel.
 *
 * `cells` is left out where signs are not known. Overheads are percent of the unprotected weight memory.
 * Thread-safe. \throws Error if a layer does not fit its channels
 */
[[nodiscard]] std::vector<SignatureSize> signature_sizes(const std::vector<FlaggedLayer>& layers);

}  // namespace flipstorm
