#pragma once
// Failures in time: how often upsets are critical where a memory is used, protected and not.

#include "analysis/result_table.hpp"
#include "analysis/verification.hpp"
#include "engine/base/statistics.hpp"
#include "hdf5_schema/memory_file.hpp"
#include "hdf5_schema/protection_file.hpp"

namespace flipstorm
{

/// Upsets of a memory and what becomes of them, in FIT (events in 10^9 hours).
struct MemoryRates
{
    std::uint64_t bits = 0;
    double upsets = 0;
    ShareInterval critical;  ///< upsets × critical share, with its 95 % interval
    double latent = 0;  ///< upsets that change a weight, are not noticed and not critical; NaN: not known

    /// Mean hours to a critical upset. \return infinite where none is critical
    [[nodiscard]] double hours_to_critical() const;
    /// Single-point fault metric of ISO 26262-5: 1 − residual / all. 0 upsets: 1.
    [[nodiscard]] double single_point_metric() const;
    /// Latent fault metric of ISO 26262-5: 1 − latent / (all − residual). NaN where `latent` is.
    [[nodiscard]] double latent_metric() const;
};

/// Rates of a memory. \param share, changed  of all upsets: critical, and those that change a weight
/// \param fit_per_mbit  upsets of 10^6 bits in 10^9 hours
[[nodiscard]] MemoryRates memory_rates(std::uint64_t bits, double fit_per_mbit, const ShareInterval& share,
                                       double changed);

/// Of upsets that would be critical, the share that a protection takes care of: 1 − protected / unprotected
/// critical rate. NaN where there are none.
[[nodiscard]] double diagnostic_coverage(const MemoryRates& unprotected, const MemoryRates& kept);

/// Hours until a memory that is never written anew loses more than the tolerated drop, on average.
struct TimeToCritical
{
    double hours = 0;
    bool at_least = false;  ///< some memories still did well at the highest rate that was tried
};

/**
 * From the share of memories that are critical at each rate, by the trapezoidal rule:
 *
 *     hours = ∫ (1 − F(p)) dp / λ,   λ upsets of a bit in an hour, F(0) = 0
 *
 * up to the highest rate, at which a bit has been upset with that probability. \param is_protected  which
 * memory
 */
[[nodiscard]] TimeToCritical time_to_critical(const MemoryRecord& memory, bool is_protected, double tolerance,
                                              double fit_per_mbit);

/**
 * Both memories of a job in its [environment].
 *
 * \param unprotected   critical share of upsets of the words alone
 * \param verification  what was measured of the protected memory; null: what was measured on faults held out
 * \param memory        whole memories; null: none were tried
 * \return no rows where the job names no environment
 */
[[nodiscard]] ResultTable fit_table(const ProtectionRecord& protection, const ShareInterval& unprotected,
                                    std::uint64_t bits, const Verification* verification,
                                    const MemoryRecord* memory = nullptr);

}  // namespace flipstorm
