#include "analysis/campaign_check.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "analysis/estimates.hpp"
#include "analysis/fault_population.hpp"
#include "engine/base/error.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{
namespace
{

void check_lengths(const char* table, std::initializer_list<std::size_t> columns)
{
    for (const std::size_t rows : columns)
    {
        FS_CHECK(DataError, rows == *columns.begin(), "campaign: the columns of {} differ in length", table);
    }
}

/// Lengths: the reader of campaign.h5 refuses these too, but a record built in memory did not pass it.
void check_lengths(const CampaignRecord& campaign)
{
    const LayerTable& layers = campaign.header.layers;
    const StrataTable& strata = campaign.header.strata;
    const FaultTable& faults = campaign.faults;
    check_lengths("/layers", {layers.name.size(), layers.weights.size(), layers.out_channels.size(),
                              layers.in_channels.size(), layers.word_bits.size(), layers.injected.size()});
    check_lengths("/strata", {strata.layer.size(), strata.bit.size(), strata.population.size()});
    const ScreenTable& trials = campaign.header.screen.trials;
    check_lengths("/screen", {trials.layer.size(), trials.level.size(), trials.kappa.size(),
                              trials.tau.size(), trials.audit_share.size(), trials.pairs.size(),
                              trials.screened.size(), trials.audited.size(), trials.disagreements.size(),
                              trials.bound95.size(), trials.kept.size()});
    check_lengths("/faults and /outcomes",
                  {faults.stratum.size(), faults.layer.size(), faults.parameter.size(),
                   faults.out_channel.size(), faults.in_channel.size(), faults.bit.size(), faults.sign.size(),
                   faults.value_before.size(), faults.value_after.size(), faults.mask.size(),
                   faults.effect.size(), campaign.outcomes.drop.size(), campaign.outcomes.stopped.size()});
    FS_CHECK(DataError, faults.size() > 0, "campaign: no faults; nothing can be learnt from it");
    FS_CHECK(DataError, faults.size() < std::numeric_limits<std::uint32_t>::max(),
             "campaign: {} faults; at most 2^32 - 2 can be analysed", faults.size());
}

void check_header(const LayerTable& layers, const StrataTable& strata)
{
    for (std::size_t i = 0; i < layers.size(); ++i)
    {
        const std::int64_t out = layers.out_channels[i];
        const std::int64_t in = layers.in_channels[i];
        const bool fits = out > 0 && in > 0 && layers.weights[i] > 0 &&
                          layers.weights[i] % static_cast<std::uint64_t>(out * in) == 0;
        FS_CHECK(DataError, fits, "campaign: layer {} ('{}') has {} weights, no multiple of {} × {} channels",
                 i, layers.name[i], layers.weights[i], out, in);
        FS_CHECK(DataError, layers.word_bits[i] >= 1 && layers.word_bits[i] <= 64,
                 "campaign: layer {} ('{}') has words of {} bits; 1 to 64 are possible", i, layers.name[i],
                 layers.word_bits[i]);
    }
    for (std::size_t i = 0; i < strata.size(); ++i)
    {
        FS_CHECK(
            DataError, strata.layer[i] >= -1 && strata.layer[i] < static_cast<std::int32_t>(layers.size()),
            "campaign: stratum {} is of layer {}; there are {} layers", i, strata.layer[i], layers.size());
    }
}

/// The bits that a fault hits, against the campaign's fault model.
void check_word(UpsetModel upset, int word_bits, bool listed, const FaultTable& faults, std::size_t row)
{
    const WordFault word{faults.mask[row], static_cast<BitEffect>(faults.effect[row])};
    FS_CHECK(DataError, faults.effect[row] <= 2, "campaign: fault {} has effect {}; 0, 1 or 2 are possible",
             row, faults.effect[row]);
    FS_CHECK(
        DataError,
        (listed || belongs_to(upset, word_bits, word)) &&
            highest_bit(word.mask) == static_cast<int>(faults.bit[row]),
        "campaign: fault {} (mask {:#x}, effect {}, bit {}) is none of '{}' with {} bit(s) in words of {}",
        row, word.mask, faults.effect[row], faults.bit[row], to_string(upset.model), upset.bits, word_bits);
}

void check_fault(const CampaignHeader& header, const FaultTable& faults, std::size_t row)
{
    const LayerTable& layers = header.layers;
    const StrataTable& strata = header.strata;
    const std::int32_t layer = faults.layer[row];
    const int bit = faults.bit[row];
    const std::uint64_t parameter = faults.parameter[row];
    const auto l = static_cast<std::size_t>(layer);  // beyond the table if negative
    const auto s = static_cast<std::size_t>(faults.stratum[row]);
    FS_CHECK(
        DataError,
        s < strata.size() && l < layers.size() && parameter < layers.weights[l] && bit < layers.word_bits[l],
        "campaign: fault {} (stratum {}, layer {}, parameter {}, bit {}) is outside the network", row,
        faults.stratum[row], layer, parameter, bit);
    FS_CHECK(
        DataError,
        (strata.layer[s] == -1 || strata.layer[s] == layer) && (strata.bit[s] == -1 || strata.bit[s] == bit),
        "campaign: fault {} (layer {}, bit {}) lies outside its stratum {} (layer {}, bit {})", row, layer,
        bit, s, strata.layer[s], strata.bit[s]);
    FS_CHECK(DataError, faults.sign[row] <= 1, "campaign: fault {} has sign {}; 0 or 1 are possible", row,
             faults.sign[row]);
    const auto inputs = static_cast<std::uint64_t>(layers.in_channels[l]);
    const std::uint64_t filter = parameter / kernel_elements(layers, l);
    const auto out = static_cast<std::int32_t>(filter / inputs);
    const auto in = static_cast<std::int32_t>(filter % inputs);
    FS_CHECK(DataError, faults.out_channel[row] == out && faults.in_channel[row] == in,
             "campaign: fault {} names channels ({}, {}), but parameter {} of layer '{}' belongs to ({}, {})",
             row, faults.out_channel[row], faults.in_channel[row], parameter, layers.name[l], out, in);
}

/// One trial of a screen, taken alone.
void check_trial(const ScreenRecord& screen, std::size_t row, std::uint64_t pairs)
{
    constexpr std::uint8_t kExact = 3;
    const ScreenTable& trials = screen.trials;
    const std::uint64_t screened = trials.screened[row];
    const std::uint64_t audited = trials.audited[row];
    const std::uint64_t disagreements = trials.disagreements[row];
    // A screen that was given up may have been tried on fewer faults than an iterative campaign asked for
    // later.
    FS_CHECK(DataError,
             (trials.pairs[row] == pairs || (trials.kept[row] == 0 && trials.pairs[row] < pairs)) &&
                 screened <= trials.pairs[row] && audited <= screened && disagreements <= audited &&
                 trials.level[row] <= kExact && (trials.level[row] < kExact || screened == 0),
             "campaign: row {} of /screen (level {}) says that of {} pairs {} were screened, {} audited, "
             "{} wrong; the layer has {} pairs",
             row, trials.level[row], trials.pairs[row], screened, audited, disagreements, pairs);
    const double bound = screen_bound95(screened, audited, disagreements);
    FS_CHECK(DataError, std::abs(trials.bound95[row] - bound) <= 1e-6 * bound,
             "campaign: row {} of /screen has a bound of {}; {} disagreements in {} audited pairs give {}",
             row, trials.bound95[row], disagreements, audited, bound);
    const bool kept = trials.kept[row] == 1;
    FS_CHECK(DataError, kept || trials.kept[row] == 0,
             "campaign: row {} of /screen has kept = {}; 0 or 1 are possible", row, trials.kept[row]);
    FS_CHECK(DataError, kept == (trials.bound95[row] <= screen.screen_bound),
             "campaign: row {} of /screen was {} with a bound of {}; the campaign keeps a screen up to {}",
             row, kept ? "kept" : "given up", trials.bound95[row], screen.screen_bound);
}

/// The trials of the screen against the layers' faults and against the totals.
void check_screen(const CampaignHeader& header, const std::vector<std::uint64_t>& layer_faults)
{
    const ScreenRecord& screen = header.screen;
    const ScreenTable& trials = screen.trials;
    if (trials.size() == 0) return;
    std::vector<bool> kept(layer_faults.size(), false);
    ScreenRecord sum;
    for (std::size_t row = 0; row < trials.size(); ++row)
    {
        const auto l = static_cast<std::size_t>(trials.layer[row]);  // beyond the table if negative
        FS_CHECK(DataError, l < layer_faults.size(),
                 "campaign: row {} of /screen is of layer {}; there are {}", row, trials.layer[row],
                 layer_faults.size());
        const bool follows = row == 0 || trials.layer[row] > trials.layer[row - 1] ||
                             (trials.layer[row] == trials.layer[row - 1] && trials.kept[row - 1] == 0 &&
                              trials.level[row] > trials.level[row - 1]);
        FS_CHECK(DataError, follows && !kept[l], "campaign: row {} of /screen is out of order", row);
        check_trial(screen, row, layer_faults[l] * header.images);
        if (trials.kept[row] == 0) continue;
        kept[l] = true;
        sum.pairs += trials.pairs[row];
        sum.screened += trials.screened[row];
        sum.audited += trials.audited[row];
        sum.disagreements += trials.disagreements[row];
        sum.bound95 = std::max(sum.bound95, trials.bound95[row]);
    }
    for (std::size_t l = 0; l < kept.size(); ++l)
    {
        FS_CHECK(DataError, kept[l] == (layer_faults[l] > 0),
                 "campaign: layer '{}' has {} faults, and /screen keeps {} for it", header.layers.name[l],
                 layer_faults[l], kept[l] ? "a screen" : "none");
    }
    FS_CHECK(
        DataError,
        sum.pairs == screen.pairs && sum.screened == screen.screened && sum.audited == screen.audited &&
            sum.disagreements == screen.disagreements && sum.bound95 == screen.bound95,
        "campaign: the totals of /screen ({} pairs, {} screened, {} audited, {} wrong, bound {}) are not "
        "those of its kept rows ({}, {}, {}, {}, {})",
        screen.pairs, screen.screened, screen.audited, screen.disagreements, screen.bound95, sum.pairs,
        sum.screened, sum.audited, sum.disagreements, sum.bound95);
}

}  // namespace

std::uint64_t kernel_elements(const LayerTable& layers, std::size_t layer)
{
    return layers.weights[layer] / (static_cast<std::uint64_t>(layers.out_channels[layer]) *
                                    static_cast<std::uint64_t>(layers.in_channels[layer]));
}

void check_campaign(const CampaignRecord& campaign)
{
    const CampaignHeader& header = campaign.header;
    check_lengths(campaign);
    check_header(header.layers, header.strata);
    const UpsetModel upset = upset_of(header);
    std::vector<std::uint64_t> faults(header.strata.size(), 0);
    std::vector<std::uint64_t> layer_faults(header.layers.size(), 0);
    for (std::size_t row = 0; row < campaign.faults.size(); ++row)
    {
        check_fault(header, campaign.faults, row);
        const auto layer = static_cast<std::size_t>(campaign.faults.layer[row]);
        check_word(upset, header.layers.word_bits[layer], header.sites.size() > 0, campaign.faults, row);
        FS_CHECK(DataError, header.layers.injected[layer] != 0,
                 "campaign: fault {} strikes layer '{}', which the job left out", row,
                 header.layers.name[layer]);
        ++faults[static_cast<std::size_t>(campaign.faults.stratum[row])];
        ++layer_faults[static_cast<std::size_t>(campaign.faults.layer[row])];
        const double drop = campaign.outcomes.drop[row];
        FS_CHECK(DataError, std::isfinite(drop), "campaign: fault {} has a drop that is not finite", row);
        if (campaign.outcomes.stopped[row] == 0) continue;
        for (const double tolerance : header.tolerances)
        {
            FS_CHECK(DataError, exceeds(drop, tolerance),
                     "campaign: fault {} was stopped at a drop of at least {}, but the campaign has a "
                     "tolerance of {}",
                     row, drop, tolerance);
        }
    }
    for (std::size_t i = 0; i < faults.size(); ++i)
    {
        FS_CHECK(DataError, faults[i] <= header.strata.population[i],
                 "campaign: stratum {} has {} faults of a population of {}", i, faults[i],
                 header.strata.population[i]);
    }
    check_screen(header, layer_faults);
}

}  // namespace flipstorm
