#include "analysis/fit.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace flipstorm
{
namespace
{

constexpr double kBitsPerMbit = 1e6;
constexpr double kHours = 1e9;  // of a FIT
constexpr double kHoursPerYear = 8766;

std::string years_text(double hours)
{
    if (std::isinf(hours)) return "never";
    return fmt::format("{:.3g}", hours / kHoursPerYear);
}

std::string percent_text(double share)
{
    return std::isnan(share) ? "-" : fmt::format("{:.6g}", 100 * share);
}

}  // namespace

double MemoryRates::hours_to_critical() const
{
    return critical.share > 0 ? kHours / critical.share : std::numeric_limits<double>::infinity();
}

double MemoryRates::single_point_metric() const
{
    return upsets > 0 ? 1 - critical.share / upsets : 1;
}

double MemoryRates::latent_metric() const
{
    if (std::isnan(latent)) return latent;
    const double others = upsets - critical.share;
    return others > 0 ? 1 - latent / others : 1;
}

MemoryRates memory_rates(std::uint64_t bits, double fit_per_mbit, const ShareInterval& share, double changed)
{
    MemoryRates rates;
    rates.bits = bits;
    rates.upsets = fit_per_mbit * static_cast<double>(bits) / kBitsPerMbit;
    rates.critical = {rates.upsets * share.share, rates.upsets * share.low, rates.upsets * share.high};
    rates.latent = rates.upsets * std::max(0.0, changed - share.share);
    if (std::isnan(changed)) rates.latent = changed;
    return rates;
}

double diagnostic_coverage(const MemoryRates& unprotected, const MemoryRates& kept)
{
    if (!(unprotected.critical.share > 0)) return std::numeric_limits<double>::quiet_NaN();
    return 1 - kept.critical.share / unprotected.critical.share;
}

ResultTable fit_table(const ProtectionRecord& protection, const ShareInterval& unprotected,
                      std::uint64_t bits, const Verification* verification)
{
    ResultTable table;
    if (!(protection.fit_per_mbit > 0) || protection.chosen < 0) return table;
    constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
    const ProtectionOption& chosen = protection.options.at(static_cast<std::size_t>(protection.chosen));
    const MemoryRates plain = memory_rates(bits, protection.fit_per_mbit, unprotected, 1);
    const std::uint64_t kept_bits = bits + chosen.parity_bits + chosen.signature_bits;
    // What was measured is a share of the upsets of the words; check bits beside them are as safe, and
    // dilute.
    const double words = static_cast<double>(bits) / static_cast<double>(kept_bits);
    const MemoryRates kept = verification != nullptr
                                 ? memory_rates(verification->bits, protection.fit_per_mbit,
                                                verification->critical, verification->unnoticed.share)
                                 : memory_rates(kept_bits, protection.fit_per_mbit,
                                                {chosen.measured_residual * words,
                                                 chosen.measured_low * words, chosen.measured_high * words},
                                                kUnknown);
    table.title = fmt::format("Failures in time at {:.4g} FIT/Mbit", protection.fit_per_mbit);
    table.columns = {
        "memory", "bits", "upsets FIT", "critical FIT", "95 % low", "95 % high", "mean years to critical",
        "SPFM %", "LFM %"};
    table.text_columns = 1;
    const auto row = [&table](const char* name, const MemoryRates& rates) {
        table.rows.push_back(
            {name, format_count(rates.bits), fmt::format("{:.4g}", rates.upsets),
             fmt::format("{:.4g}", rates.critical.share), fmt::format("{:.4g}", rates.critical.low),
             fmt::format("{:.4g}", rates.critical.high), years_text(rates.hours_to_critical()),
             percent_text(rates.single_point_metric()), percent_text(rates.latent_metric())});
    };
    row("unprotected", plain);
    row(chosen.scheme.c_str(), kept);
    table.note = fmt::format(
        "Of upsets of single bits; those that hit several, or meet in one code word before the memory is "
        "written "
        "anew, are not in it. 1 FIT = 1 event in 10^9 hours, 1 Mbit = 10^6 bits. Upsets = FIT/Mbit x Mbit; "
        "critical "
        "= upsets x the share of them that is critical ({}). Diagnostic coverage, 1 - critical of the "
        "protected / "
        "critical of the unprotected memory: {} %. SPFM, single-point fault metric of ISO 26262-5 = 1 - "
        "critical / "
        "upsets. LFM, latent fault metric = 1 - latent / (upsets - critical); latent: upsets that change a "
        "weight, "
        "that no decoder notices and that are not critical.",
        verification != nullptr
            ? "of the protected memory as verify measured it"
            : "as measured on faults held out; 'flipstorm verify' measures it in the memory",
        percent_text(diagnostic_coverage(plain, kept)));
    return table;
}

}  // namespace flipstorm
