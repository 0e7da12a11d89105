#pragma once
// How large the error of a transient fault is: uniform, a power law fitted to register-transfer injections,
// or a table of observed values.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/philox.hpp"

namespace flipstorm
{

/// Uniform on [0, magnitude).
struct UniformError
{
    double magnitude = 1;
};

/// A power law p(x) ∝ x^−α for x ≥ x_min.
struct PowerLaw
{
    std::string name;  ///< "ffma_common": operation and size class of the operands
    double x_min = 1;
    double alpha = 2;
};

/// Observed values with their weights.
struct ErrorTable
{
    std::vector<float> value;
    std::vector<double> cumulative;  ///< sum of the weights up to and with each value
};

/// A bit of the stored word, uniformly: the error value is its number, 0 the least significant.
struct BitError
{};

using ErrorValue = std::variant<UniformError, PowerLaw, ErrorTable, BitError>;

/**
 * The 21 power laws of the relative error |faulty − golden| / |golden| of GPU instructions: FADD, FMUL, FFMA,
 * IADD, IMUL, IMAD, MUFU with small, common and big operands, fitted to register-transfer injections (dos
 * Santos et al., DSN 2021). Two of MUFU have x_min = 0: their error is always 0.
 */
[[nodiscard]] const std::vector<PowerLaw>& published_power_laws();

/// Power law of that name. \throws JobError naming the known ones.
[[nodiscard]] PowerLaw power_law(std::string_view name);

/// The value that a share `below` of all draws stays under, 0 ≤ below < 1:
/// x_min · (1 − below)^(−1 / (α − 1)). Infinite where a double is too small. Thread-safe.
[[nodiscard]] double quantile(const PowerLaw& law, double below);

/**
 * Read an empirical table: comma-separated lines `value` or `value,weight`, weights positive and 1 where they
 * are missing; empty lines, lines that begin with '#', and a first line that is no number are passed over.
 *
 * \throws FileError if it cannot be read; DataError, naming file and line, for anything else or no value.
 */
[[nodiscard]] ErrorTable read_error_table(const std::filesystem::path& file);

/// An error value; infinite where a float is too small. \param word_bits  of the words that are struck.
/// Thread-safe for different streams.
[[nodiscard]] float draw_error(const ErrorValue& value, int word_bits, RandomStream& random);

}  // namespace flipstorm
