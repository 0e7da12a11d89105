#include "analysis/protection_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/memory/codes/protection_scheme.hpp"

namespace flipstorm
{
namespace
{

/// A mask as the bits that it has, from the top: "31, 29-23".
std::string bits_text(std::uint32_t mask)
{
    std::string text;
    for (int bit = 31; bit >= 0; --bit)
    {
        const auto has = [mask](int b) { return b >= 0 && (mask >> static_cast<unsigned>(b) & 1U) != 0; };
        if (!has(bit)) continue;
        int last = bit;
        while (has(last - 1))
            --last;
        text += text.empty() ? "" : ", ";
        text += last == bit ? fmt::format("{}", bit) : fmt::format("{}-{}", bit, last);
        bit = last;
    }
    return text.empty() ? "-" : text;
}

}  // namespace

ResultTable overhead_table(const ProtectionRecord& protection)
{
    const OverheadRow& row = protection.overhead;
    ResultTable table;
    table.title = "Table III: memory overhead of single-error correction";
    table.columns = {"word bits", "all %", "critical %", "signature %", "critical + signature %", "gain %"};
    table.text_columns = 0;
    table.note =
        "Percent of the unprotected weight memory: a Hamming code on all parameters, on those predicted "
        "critical (probability 0.5 or more), and one flag per parameter. Gain = 1 - (critical + signature) "
        "/ all.";
    table.rows.push_back({std::to_string(protection.word_bits), format_number(row.all_parameters, 3),
                          format_number(row.critical_parameters, 3), format_number(row.signature, 3),
                          format_number(row.critical_parameters + row.signature, 3),
                          format_number(row.gain, 3)});
    return table;
}

ResultTable schemes_table(const ProtectionRecord& protection)
{
    ResultTable table;
    table.title = fmt::format("Protection, tolerated drop {} %", format_percent(protection.tolerance));
    table.columns = {"scheme",           "threshold",        "overhead %",     "left, predicted %",
                     "at most (95 %) %", "left, measured %", "[95 % interval]"};
    table.note =
        "Overhead: extra memory in percent of the weights. Left: single upsets that stay critical, in "
        "percent of all; as the calibrated map has it, by the upper limits of its probabilities, and as "
        "measured on faults held out.";
    for (std::size_t i = 0; i < protection.options.size(); ++i)
    {
        const ProtectionOption& o = protection.options[i];
        const bool chosen = static_cast<std::int32_t>(i) == protection.chosen;
        const bool shown = chosen || std::isnan(o.threshold) || o.threshold == 0.5;
        if (!shown) continue;
        if (chosen) table.marked = static_cast<std::int32_t>(table.rows.size());
        table.rows.push_back(
            {o.scheme, format_number(o.threshold, 2), format_number(o.total_overhead, 3),
             format_share(o.predicted_residual), format_share(o.predicted_high),
             format_share(o.measured_residual),
             fmt::format("[{}, {}]", format_share(o.measured_low), format_share(o.measured_high))});
    }
    return table;
}

ResultTable options_table(const ProtectionRecord& protection)
{
    ResultTable table;
    table.title =
        fmt::format("Protection options, tolerated drop {} %", format_percent(protection.tolerance));
    table.columns = {"scheme",     "threshold",         "parameters %",     "parity %", "signature %",
                     "overhead %", "left, predicted %", "left, measured %", "95 % low", "95 % high",
                     "Pareto"};
    table.note =
        "Overheads in percent of the unprotected weight memory. Left: share of single upsets that stay "
        "critical; predicted from the forest's probabilities (a balanced forest's with the balancing "
        "undone), measured as the share of critical faults times the part of the held-out ones that the "
        "code misses.";
    table.marked = protection.chosen;
    for (const ProtectionOption& o : protection.options)
    {
        table.rows.push_back({o.scheme, format_number(o.threshold, 2), format_percent(o.flagged_share),
                              format_number(o.parity_overhead, 3), format_number(o.signature_overhead, 3),
                              format_number(o.total_overhead, 3), format_percent(o.predicted_residual, 4),
                              format_percent(o.measured_residual, 4), format_percent(o.measured_low, 4),
                              format_percent(o.measured_high, 4), o.pareto ? "yes" : "no"});
    }
    return table;
}

ResultTable signature_table(const ProtectionRecord& protection)
{
    ResultTable table;
    table.title = "Signatures of sec_critical, threshold 0.5";
    table.columns = {"encoding", "bits", "check bits", "parameters %", "parity bits", "overhead %"};
    table.text_columns = 1;
    table.note =
        "raw: a flag for each parameter, as in DATE 2023; elias_fano, run_length: where the flags are; "
        "cells: one for each output channel, input channel and sign; channels: one for each output "
        "channel. The last two flag parameters beside. Check bits: SEC-DED over 64 bits of the signature, "
        "as an upset flag would move all parity bits that follow. Overhead: signature, its check bits and "
        "parity.";
    for (const SignatureSize& size : protection.signature_sizes)
        table.rows.push_back({size.encoding, format_count(size.bits), format_count(size.check_bits),
                              format_percent(size.flagged_share), format_count(size.parity_bits),
                              format_number(size.total_overhead, 3)});
    return table;
}

ResultTable plan_table(const ProtectionRecord& protection)
{
    ResultTable table;
    table.title = "Protection, layer by layer (optimized)";
    table.columns = {
        "layer",   "how its words are kept", "forced",       "covered",  "check bits in", "extra bits",
        "extra %", "critical bits",          "of them left", "change %", "XORs per word"};
    table.text_columns = 5;
    table.note =
        "Forced: bits that are equal in all words, repeat the sign or are given up; they read as they "
        "should whatever is stored. Covered: bits under the code. Check bits lie in bits of the words that "
        "are forced, or beside (-). Critical bits: expected, without protection and with it. Change: of "
        "the weights where no upset is, root mean square, of theirs. XORs: of the decoder.";
    for (const LayerProtection& layer : protection.plan)
    {
        const auto bits = static_cast<double>(layer.weights) * layer.word_bits;
        table.rows.push_back({layer.layer, layer.code.name, bits_text(layer.code.forced | layer.code.copies),
                              bits_text(layer.code.covered), bits_text(layer.code.check_places),
                              format_count(layer.extra_bits),
                              format_number(100 * static_cast<double>(layer.extra_bits) / bits, 3),
                              fmt::format("{:.4g}", layer.critical_before),
                              fmt::format("{:.2g}", layer.critical_after), format_share(layer.change),
                              format_number(layer.xors, 1)});
    }
    return table;
}

}  // namespace flipstorm
