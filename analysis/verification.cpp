#include "analysis/verification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "analysis/fault_population.hpp"
#include "engine/base/error.hpp"
#include "engine/base/statistics.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{
namespace
{

/// Which positions of a part's words no single upset can do harm in, as a mask; parts as LayerTable has them.
std::vector<std::uint64_t> closed_bits(const CampaignHeader& header, const ProtectedRecord& memory)
{
    std::vector<std::uint64_t> closed(header.layers.size(), 0);
    if (!upset_of(header).single_bit()) return closed;
    for (std::size_t part = 0; part < closed.size(); ++part)
    {
        const std::string& name = header.layers.name[part];
        for (const LayerProtection& layer : memory.plan)
        {
            const LayerCode& code = layer.code;
            const bool corrects = code.code && code_traits(*code.code).corrects > 0;
            if (name == layer.layer)
            {
                // In-word check bits are of the same code: what does not correct them may take them for
                // errors.
                const std::uint32_t places = corrects ? 0 : code.check_places;
                closed[part] = ((code.forced | code.copies) & ~places) | (corrects ? code.covered : 0);
            }
            if (name == layer.layer + ":check" && corrects) closed[part] = ~std::uint64_t{0};
        }
    }
    return closed;
}

/// Share of all upsets that are hits.
ShareEstimate share_of(const CampaignRecord& campaign, const std::vector<std::uint64_t>& closed,
                       const std::function<bool(std::size_t row)>& hit)
{
    const StrataTable& strata = campaign.header.strata;
    std::vector<StratumCount> counts(strata.size());
    for (std::size_t s = 0; s < counts.size(); ++s)
        counts[s].population = strata.population[s];
    std::uint64_t faults = 0;
    std::uint64_t hits = 0;
    for (std::size_t row = 0; row < campaign.faults.size(); ++row)
    {
        StratumCount& count = counts[static_cast<std::size_t>(campaign.faults.stratum[row])];
        ++count.faults;
        ++faults;
        if (!hit(row)) continue;
        ++count.hits;
        ++hits;
    }
    for (std::size_t s = 0; s < counts.size() && !closed.empty(); ++s)
    {
        if (strata.layer[s] < 0 || strata.bit[s] < 0 || counts[s].hits > 0) continue;
        const std::uint64_t mask = closed[static_cast<std::size_t>(strata.layer[s])];
        if ((mask >> static_cast<unsigned>(strata.bit[s]) & 1U) == 0) continue;
        counts[s].faults = counts[s].population;
    }
    ShareEstimate share = estimate_share(counts);
    share.faults = faults;
    share.hits = hits;
    return share;
}

}  // namespace

std::string Verification::disagreement() const
{
    if (critical.low > predicted_high)
        return fmt::format(
            "More upsets are critical than predicted: {} % [{}, {}] measured, at most {} % predicted.",
            format_share(critical.share), format_share(critical.low), format_share(critical.high),
            format_share(predicted_high));
    // Of fewer than three expected ones none is no surprise.
    if (critical.high < predicted && predicted * static_cast<double>(bits) > 3)
        return fmt::format(
            "Fewer upsets are critical than predicted: {} % [{}, {}] measured, {} % predicted.",
            format_share(critical.share), format_share(critical.low), format_share(critical.high),
            format_share(predicted));
    return {};
}

Verification verify_protection(const CampaignRecord& campaign, const ProtectedRecord& memory,
                               const ProtectionRecord& protection, const CampaignRecord& unprotected)
{
    FS_CHECK(
        DataError, memory.protection_sha256 == protection.provenance.stage_sha256,
        "the protected memory is of another protection than protection.h5; run 'flipstorm harden' again");
    FS_CHECK(DataError, campaign.header.memory_sha256 == memory.memory_sha256,
             "it proves another memory than that of protected.h5; run 'flipstorm verify' again");
    FS_CHECK(DataError,
             campaign.header.provenance.model_sha256 == unprotected.header.provenance.model_sha256 &&
                 campaign.header.images == unprotected.header.images,
             "the campaign into the protected memory is of another network, or of other test images");
    Verification verification;
    verification.tolerance = protection.tolerance;
    verification.upsets = campaign.faults.size();
    for (std::size_t l = 0; l < campaign.header.layers.size(); ++l)
        verification.bits += campaign.header.layers.weights[l] *
                             static_cast<std::uint64_t>(campaign.header.layers.word_bits[l]);
    const OutcomeTable& outcomes = campaign.outcomes;
    verification.detected =
        share_of(campaign, {}, [&](std::size_t row) { return outcomes.detected[row] != 0; });
    verification.corrected =
        share_of(campaign, {}, [&](std::size_t row) { return outcomes.corrected[row] != 0; });
    const std::vector<std::uint64_t> closed = closed_bits(campaign.header, memory);
    verification.changed =
        share_of(campaign, closed, [&](std::size_t row) { return outcomes.changed[row] > 0; });
    verification.unnoticed = share_of(campaign, closed, [&](std::size_t row) {
        return outcomes.changed[row] > 0 && outcomes.detected[row] == 0;
    });
    verification.critical = share_of(
        campaign, closed, [&](std::size_t row) { return exceeds(outcomes.drop[row], protection.tolerance); });
    const auto images = static_cast<double>(campaign.header.images);
    verification.accuracy = static_cast<double>(campaign.header.golden_correct) / images;
    verification.accuracy_before = static_cast<double>(unprotected.header.golden_correct) / images;
    FS_CHECK(DataError, protection.chosen >= 0, "protection.h5 chose no scheme");
    const ProtectionOption& chosen = protection.options.at(static_cast<std::size_t>(protection.chosen));
    // Predicted for upsets of the words; the check bits beside them are as safe, and dilute.
    double words = 0;
    for (const LayerProtection& layer : memory.plan)
        words += static_cast<double>(layer.weights) * layer.word_bits;
    const double dilution = words / static_cast<double>(verification.bits);
    verification.predicted = chosen.predicted_residual * dilution;
    verification.predicted_high = chosen.predicted_high * dilution;
    return verification;
}

ResultTable verification_table(const Verification& v)
{
    ResultTable table;
    table.title =
        fmt::format("Verification: {} upsets of the {} bits of the protected memory, tolerated drop {} %",
                    format_count(v.upsets), format_count(v.bits), format_percent(v.tolerance));
    table.columns = {"what becomes of an upset", "%", "95 % low", "95 % high", "upsets"};
    table.text_columns = 1;
    const auto row = [&table](const char* what, const ShareEstimate& share) {
        table.rows.push_back({what, format_share(share.share), format_share(share.low),
                              format_share(share.high), format_count(share.hits)});
    };
    row("corrected", v.corrected);
    row("found, not corrected (DUE)", v.detected);
    row("a weight reads otherwise", v.changed);
    row("critical", v.critical);
    table.rows.push_back(
        {"critical, predicted", format_share(v.predicted), "-", format_share(v.predicted_high), "-"});
    table.marked = 3;
    table.note = fmt::format(
        "Every bit of words and check bits is part of the population; each upset is decoded as the "
        "hardware would. Bit positions that a code closes count as whole where no upset of them was "
        "critical. Accuracy without an upset: {} %, of the unprotected network {} %.",
        format_percent(v.accuracy), format_percent(v.accuracy_before));
    const std::string disagreement = v.disagreement();
    if (!disagreement.empty()) table.note = disagreement + " " + table.note;
    return table;
}

namespace
{

/// What the trials of one rate and one memory say.
struct RateResult
{
    std::uint64_t trials = 0;
    double upsets = 0;    ///< mean
    double detected = 0;  ///< mean of blocks
    double lost = 0;      ///< accuracy, mean
    double error = 0;     ///< half the 95 % interval of that
    double worst = 0;
    std::uint64_t critical = 0;
};

RateResult result_of(const MemoryRecord& memory, std::size_t rate, std::uint8_t side, double tolerance)
{
    const MemoryTrials& trials = memory.trials;
    const auto images = static_cast<double>(memory.images);
    RateResult result;
    double squares = 0;
    for (std::size_t i = 0; i < trials.size(); ++i)
    {
        if (static_cast<std::size_t>(trials.rate[i]) != rate || trials.protected_memory[i] != side) continue;
        const double lost =
            (static_cast<double>(memory.golden_correct[side]) - static_cast<double>(trials.correct[i])) /
            images;
        ++result.trials;
        result.upsets += static_cast<double>(trials.upsets[i]);
        result.detected += static_cast<double>(trials.detected[i]);
        result.lost += lost;
        squares += lost * lost;
        result.worst = std::max(result.worst, lost);
        result.critical += exceeds(lost, tolerance) ? 1 : 0;
    }
    const auto n = static_cast<double>(result.trials);
    if (n == 0) return result;
    result.upsets /= n;
    result.detected /= n;
    result.lost /= n;
    const double variance = n > 1 ? std::max(0.0, (squares - n * result.lost * result.lost) / (n - 1)) : 0;
    result.error = kQuantile95 * std::sqrt(variance / n);
    return result;
}

/// A share in points; what rounds to nothing has no sign.
std::string points(double share)
{
    const std::string text = format_number(100 * share, 2);
    return text == "-0.00" ? "0.00" : text;
}

}  // namespace

ResultTable memory_table(const MemoryRecord& memory, double tolerance)
{
    ResultTable table;
    table.title = fmt::format("Whole memories under a bit error rate, {} test images, tolerated drop {} %",
                              format_count(memory.images), format_percent(tolerance));
    table.columns = {"memory", "bit error rate", "memories", "upsets",     "points lost",
                     "± 95 %", "worst",          "critical", "DUE blocks", "accuracy %"};
    table.text_columns = 1;
    for (const std::uint8_t side : {std::uint8_t{0}, std::uint8_t{1}})
    {
        const double golden =
            static_cast<double>(memory.golden_correct[side]) / static_cast<double>(memory.images);
        for (std::size_t rate = 0; rate < memory.ber.size(); ++rate)
        {
            const RateResult r = result_of(memory, rate, side, tolerance);
            table.rows.push_back(
                {side == 0 ? "unprotected" : "protected", fmt::format("{:.2g}", memory.ber[rate]),
                 format_count(r.trials), fmt::format("{:.3g}", r.upsets), points(r.lost),
                 format_number(100 * r.error, 2), format_number(100 * r.worst, 2), format_count(r.critical),
                 fmt::format("{:.3g}", r.detected), format_number(100 * (golden - r.lost), 2)});
        }
    }
    table.note = fmt::format(
        "Each bit of a memory flips with the bit error rate, check bits too; then all of it is decoded and "
        "the network evaluated. Upsets, DUE blocks (found, not corrected), accuracy and points lost: "
        "means. Critical: memories that lose more than the tolerated drop. {} bits unprotected, {} "
        "protected.",
        format_count(memory.bits[0]), format_count(memory.bits[1]));
    return table;
}

}  // namespace flipstorm
