#include "analysis/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/tolerance.hpp"

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

TimeToCritical time_to_critical(const MemoryRecord& memory, bool is_protected, double tolerance,
                                double fit_per_mbit)
{
    const MemoryTrials& trials = memory.trials;
    std::vector<double> critical(memory.ber.size(), 0);
    std::vector<double> count(memory.ber.size(), 0);
    const auto side = static_cast<std::size_t>(is_protected);
    for (std::size_t i = 0; i < trials.size(); ++i)
    {
        if (trials.protected_memory[i] != side) continue;
        const auto rate = static_cast<std::size_t>(trials.rate[i]);
        const double lost = (static_cast<double>(memory.golden_correct[side]) - trials.correct[i]) /
                            static_cast<double>(memory.images);
        ++count[rate];
        critical[rate] += exceeds(lost, tolerance) ? 1 : 0;
    }
    double exposure = 0;  // ∫ (1 − F) dp
    double before = 0;
    double share_before = 0;
    for (std::size_t rate = 0; rate < memory.ber.size(); ++rate)
    {
        if (count[rate] == 0) continue;
        const double share = critical[rate] / count[rate];
        exposure += (memory.ber[rate] - before) * (1 - (share + share_before) / 2);
        before = memory.ber[rate];
        share_before = share;
    }
    const double per_bit_hour = fit_per_mbit / kHours / kBitsPerMbit;
    return {exposure / per_bit_hour, share_before < 1};
}

ResultTable fit_table(const ProtectionRecord& protection, const ShareInterval& unprotected,
                      std::uint64_t bits, const Verification* verification, const MemoryRecord* memory)
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
    const auto row = [&](const char* name, const MemoryRates& rates, bool is_protected) {
        table.rows.push_back(
            {name, format_count(rates.bits), fmt::format("{:.4g}", rates.upsets),
             fmt::format("{:.4g}", rates.critical.share), fmt::format("{:.4g}", rates.critical.low),
             fmt::format("{:.4g}", rates.critical.high), years_text(rates.hours_to_critical()),
             format_share(rates.single_point_metric(), 6), format_share(rates.latent_metric(), 6)});
        if (memory == nullptr) return;
        const TimeToCritical time =
            time_to_critical(*memory, is_protected, protection.tolerance, protection.fit_per_mbit);
        table.rows.back().push_back((time.at_least ? "> " : "") + years_text(time.hours));
    };
    if (memory != nullptr) table.columns.emplace_back("years to a critical state");
    row("unprotected", plain, false);
    row(chosen.scheme.c_str(), kept, true);
    table.note = fmt::format(
        "Of upsets of single bits; those that hit several, or meet in one code word before the memory is "
        "written anew, are not in it. 1 FIT = 1 event in 10^9 hours, 1 Mbit = 10^6 bits. Upsets = FIT/Mbit "
        "x Mbit; critical = upsets x the share of them that is critical ({}). Diagnostic coverage, 1 - "
        "critical of the protected / critical of the unprotected memory: {} %. SPFM, single-point fault "
        "metric of ISO 26262-5 = 1 - critical / upsets. LFM, latent fault metric = 1 - latent / (upsets - "
        "critical); latent: upsets that change a weight, that no decoder notices and that are not critical.",
        verification != nullptr
            ? "of the protected memory as verify measured it"
            : "as measured on faults held out; 'flipstorm verify' measures it in the memory",
        format_share(diagnostic_coverage(plain, kept), 6));
    if (memory != nullptr)
        table.note +=
            " Critical state: a whole memory that is never written anew loses more than the tolerated "
            "drop; mean of the memories of verify, over their bit error rates ('>': some still did well at "
            "the highest).";
    return table;
}

}  // namespace flipstorm
