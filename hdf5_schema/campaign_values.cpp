// What the values of campaign.h5 can be: a file that says what no campaign can have found is refused when it
// is read.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "engine/base/error.hpp"
#include "engine/base/tolerance.hpp"
#include "engine/memory/word_fault.hpp"
#include "hdf5_schema/campaign_header.hpp"

namespace flipstorm
{
namespace
{

/// Drops are multiples of 1 / images; they differ by rounding alone.
constexpr double kRounding = 1e-9;

bool is_share(double value)
{
    return value >= 0 && value <= 1;
}

bool is_size(double value)
{
    return std::isfinite(value) && value >= 0;
}

/// Whether a number is a row of a table; negative ones are not.
bool is_row(std::int32_t number, std::size_t rows)
{
    return number >= 0 && static_cast<std::size_t>(number) < rows;
}

void check_lengths(const H5Reader& in, const CampaignHeader& header)
{
    const LayerTable& layers = header.layers;
    const StrataTable& strata = header.strata;
    const ScreenTable& trials = header.screen.trials;
    const auto alike = [&](const char* group, std::initializer_list<std::size_t> sizes) {
        for (const std::size_t size : sizes)
        {
            in.expect(size == *sizes.begin(), fmt::format("the columns of '{}' differ in length", group));
        }
    };
    alike("/layers", {layers.name.size(), layers.tensor.empty() ? layers.name.size() : layers.tensor.size(),
                      layers.weights.size(), layers.out_channels.size(), layers.in_channels.size(),
                      layers.word_bits.size(), layers.injected.size()});
    alike("/strata",
          {strata.layer.size(), strata.bit.size(), strata.population.size(), strata.planned.size(),
           strata.evaluated.size(), strata.direction.empty() ? strata.layer.size() : strata.direction.size(),
           strata.known.empty() ? strata.layer.size() : strata.known.size()});
    const SiteTable& sites = header.sites;
    alike("/sites", {sites.row.size(), sites.fault.size(), sites.layer.size(), sites.parameter.size(),
                     sites.mask.size()});
    for (std::size_t i = 0; i < sites.size(); ++i)
    {
        FS_CHECK(FileError,
                 is_row(sites.layer[i], layers.name.size()) &&
                     sites.parameter[i] < layers.weights[static_cast<std::size_t>(sites.layer[i])] &&
                     sites.mask[i] != 0,
                 "'{}': site {} (layer {}, parameter {}, mask {:#x}) is outside the network", in.file_name(),
                 i, sites.layer[i], sites.parameter[i], sites.mask[i]);
    }
    alike("/golden", {static_cast<std::size_t>(header.images), header.golden.label.size(),
                      header.golden.top1.size(), header.golden.margin.size()});
    alike("/screen",
          {trials.layer.size(), trials.level.size(), trials.kappa.size(), trials.tau.size(),
           trials.audit_share.size(), trials.pairs.size(), trials.screened.size(), trials.audited.size(),
           trials.disagreements.size(), trials.bound95.size(), trials.kept.size()});
}

void check_root(const H5Reader& in, const CampaignHeader& header)
{
    in.expect(header.images > 0, "'images' is 0");
    for (std::size_t t = 0; t < header.tolerances.size(); ++t)
    {
        const double tolerance = header.tolerances[t];
        in.expect(tolerance >= 0 && tolerance < 1 && (t == 0 || tolerance > header.tolerances[t - 1]),
                  fmt::format("'tolerances' are [{}]; rising drops of 0 … 1 would be right",
                              fmt::join(header.tolerances, ", ")));
    }
    in.expect(is_size(header.faults_per_second) && is_size(header.wall_seconds),
              fmt::format("'faults_per_second' is {}, 'wall_seconds' {}; neither can be",
                          header.faults_per_second, header.wall_seconds));
}

void check_layers(const H5Reader& in, const LayerTable& layers)
{
    for (std::size_t i = 0; i < layers.size(); ++i)
    {
        const std::int64_t filters = std::int64_t{layers.out_channels[i]} * layers.in_channels[i];
        FS_CHECK(FileError,
                 layers.out_channels[i] > 0 && layers.in_channels[i] > 0 && layers.weights[i] > 0 &&
                     layers.weights[i] % static_cast<std::uint64_t>(filters) == 0,
                 "'{}': layer {} ('{}') has {} weights, no multiple of {} × {} channels", in.file_name(), i,
                 layers.name[i], layers.weights[i], layers.out_channels[i], layers.in_channels[i]);
        FS_CHECK(FileError, layers.word_bits[i] >= 1 && layers.word_bits[i] <= 64,
                 "'{}': layer {} ('{}') has words of {} bits; 1 to 64 are possible", in.file_name(), i,
                 layers.name[i], layers.word_bits[i]);
        FS_CHECK(FileError, layers.injected[i] <= 1,
                 "'{}': layer {} ('{}') has injected = {}; 0 or 1 are possible", in.file_name(), i,
                 layers.name[i], layers.injected[i]);
    }
}

void check_strata(const H5Reader& in, const CampaignHeader& header)
{
    constexpr std::int32_t kAll = -1;
    const StrataTable& strata = header.strata;
    const LayerTable& layers = header.layers;
    for (std::size_t i = 0; i < strata.size(); ++i)
    {
        const std::int32_t layer = strata.layer[i];
        FS_CHECK(FileError, layer == kAll || is_row(layer, layers.size()),
                 "'{}': stratum {} is of layer {}; there are {} layers", in.file_name(), i, layer,
                 layers.size());
        const std::int32_t bits = layer == kAll ? 64 : layers.word_bits[static_cast<std::size_t>(layer)];
        FS_CHECK(FileError, strata.bit[i] >= kAll && strata.bit[i] < bits,
                 "'{}': stratum {} is of bit {} of words of {}", in.file_name(), i, strata.bit[i], bits);
        FS_CHECK(FileError, strata.evaluated[i] <= strata.population[i],
                 "'{}': stratum {} has {} faults of a population of {}", in.file_name(), i,
                 strata.evaluated[i], strata.population[i]);
        const std::int32_t direction = strata.direction.empty() ? kAll : strata.direction[i];
        const bool known = !strata.known.empty() && strata.known[i] != 0;
        FS_CHECK(
            FileError,
            direction >= kAll && direction <= 1 && (direction == kAll || strata.bit[i] >= 0) &&
                (strata.known.empty() || strata.known[i] <= 1) &&
                (!known || strata.evaluated[i] == strata.population[i]),
            "'{}': stratum {} has direction {} and known = {}; a bit holds 0 or 1, and what is known was "
            "all injected",
            in.file_name(), i, direction, known ? 1 : 0);
    }
}

void check_golden(const H5Reader& in, const CampaignHeader& header)
{
    const GoldenTable& golden = header.golden;
    std::uint64_t correct = 0;
    for (std::size_t i = 0; i < golden.label.size(); ++i)
    {
        // Transient faults are injected into networks with logits that are not finite, too.
        const bool has_margin = std::isfinite(golden.margin[i]) || header.target != "weights";
        FS_CHECK(FileError,
                 golden.label[i] >= 0 && golden.top1[i] >= 0 && has_margin && !(golden.margin[i] < 0),
                 "'{}': image {} of '/golden' has label {}, top-1 {} and margin {}, which cannot be",
                 in.file_name(), i, golden.label[i], golden.top1[i], golden.margin[i]);
        correct += golden.label[i] == golden.top1[i] ? 1U : 0U;
    }
    in.expect(
        header.golden_correct == correct,
        fmt::format("'golden_correct' is {}, but in '/golden' the top-1 of {} of {} images is the label",
                    header.golden_correct, correct, header.images));
}

void check_screen(const H5Reader& in, const CampaignHeader& header)
{
    constexpr std::uint8_t kExact = 3;
    const ScreenRecord& screen = header.screen;
    const ScreenTable& trials = screen.trials;
    const auto fits = [](std::uint64_t pairs, std::uint64_t screened, std::uint64_t audited,
                         std::uint64_t wrong) {
        return screened <= pairs && audited <= screened && wrong <= audited;
    };
    in.expect(is_size(screen.kappa) && is_size(screen.tau) && is_share(screen.screen_bound) &&
                  is_share(screen.bound95) &&
                  fits(screen.pairs, screen.screened, screen.audited, screen.disagreements),
              fmt::format("'/screen' is impossible: kappa {}, tau {}, bound {} of {}; of {} pairs {} "
                          "screened, {} audited, {} wrong",
                          screen.kappa, screen.tau, screen.bound95, screen.screen_bound, screen.pairs,
                          screen.screened, screen.audited, screen.disagreements));
    for (std::size_t i = 0; i < trials.size(); ++i)
    {
        FS_CHECK(FileError,
                 is_row(trials.layer[i], header.layers.size()) && trials.level[i] <= kExact &&
                     trials.kept[i] <= 1 && is_size(trials.kappa[i]) && is_size(trials.tau[i]) &&
                     is_share(trials.audit_share[i]) && is_share(trials.bound95[i]) &&
                     fits(trials.pairs[i], trials.screened[i], trials.audited[i], trials.disagreements[i]),
                 "'{}': row {} of '/screen' is impossible: layer {}, level {}, kept {}, kappa {}, tau {}, "
                 "audit share {}, bound {}; of {} pairs {} screened, {} audited, {} wrong",
                 in.file_name(), i, trials.layer[i], trials.level[i], trials.kept[i], trials.kappa[i],
                 trials.tau[i], trials.audit_share[i], trials.bound95[i], trials.pairs[i], trials.screened[i],
                 trials.audited[i], trials.disagreements[i]);
    }
}

void check_fault(const H5Reader& in, const CampaignRecord& campaign, std::size_t i)
{
    const LayerTable& layers = campaign.header.layers;
    const StrataTable& strata = campaign.header.strata;
    const FaultTable& faults = campaign.faults;
    const auto l = static_cast<std::size_t>(faults.layer[i]);
    const auto s = static_cast<std::size_t>(faults.stratum[i]);
    FS_CHECK(FileError,
             is_row(faults.stratum[i], strata.size()) && is_row(faults.layer[i], layers.size()) &&
                 faults.parameter[i] < layers.weights[l] && faults.bit[i] < layers.word_bits[l],
             "'{}': fault {} (stratum {}, layer {}, parameter {}, bit {}) is outside the network",
             in.file_name(), i, faults.stratum[i], faults.layer[i], faults.parameter[i], faults.bit[i]);
    FS_CHECK(FileError,
             (strata.layer[s] < 0 || strata.layer[s] == faults.layer[i]) &&
                 (strata.bit[s] < 0 || strata.bit[s] == faults.bit[i]),
             "'{}': fault {} (layer {}, bit {}) lies outside its stratum {} (layer {}, bit {})",
             in.file_name(), i, faults.layer[i], faults.bit[i], s, strata.layer[s], strata.bit[s]);
    FS_CHECK(FileError,
             faults.out_channel[i] >= 0 && faults.out_channel[i] < layers.out_channels[l] &&
                 faults.in_channel[i] >= 0 && faults.in_channel[i] < layers.in_channels[l],
             "'{}': fault {} names channels ({}, {}); layer '{}' has {} and {}", in.file_name(), i,
             faults.out_channel[i], faults.in_channel[i], layers.name[l], layers.out_channels[l],
             layers.in_channels[l]);
    FS_CHECK(FileError,
             faults.sign[i] <= 1 && faults.effect[i] <= 2 && std::isfinite(faults.value_before[i]) &&
                 faults.mask[i] != 0 && highest_bit(faults.mask[i]) == static_cast<int>(faults.bit[i]),
             "'{}': fault {} (sign {}, effect {}, value {}, mask {:#x}, bit {}) is none that can be injected",
             in.file_name(), i, faults.sign[i], faults.effect[i], faults.value_before[i], faults.mask[i],
             faults.bit[i]);
}

void check_outcome(const H5Reader& in, const CampaignRecord& campaign, std::size_t i)
{
    const CampaignHeader& header = campaign.header;
    const OutcomeTable& outcomes = campaign.outcomes;
    const std::uint64_t evaluated = outcomes.evaluated[i];
    const std::uint64_t correct = outcomes.correct[i];
    const bool stopped = outcomes.stopped[i] == 1;
    FS_CHECK(FileError,
             outcomes.stopped[i] <= 1 && evaluated <= header.images &&
                 (stopped || evaluated == header.images) && correct <= evaluated &&
                 outcomes.mismatches[i] <= evaluated && outcomes.nonfinite[i] <= outcomes.mismatches[i],
             "'{}': the outcome of fault {} is impossible: of {} images {} evaluated (stopped = {}), {} "
             "correct, {} mismatches, {} not finite",
             in.file_name(), i, header.images, evaluated, outcomes.stopped[i], correct,
             outcomes.mismatches[i], outcomes.nonfinite[i]);
    // What is not known counts as correct.
    const auto lost = static_cast<std::int64_t>(header.golden_correct) - static_cast<std::int64_t>(correct) -
                      static_cast<std::int64_t>(header.images - evaluated);
    const double drop = static_cast<double>(lost) / static_cast<double>(header.images);
    FS_CHECK(FileError, std::abs(outcomes.drop[i] - drop) <= kRounding,
             "'{}': fault {} has a drop of {}; {} images correct of {} evaluated, {} of {} without a "
             "fault, make it {}",
             in.file_name(), i, outcomes.drop[i], correct, evaluated, header.golden_correct, header.images,
             drop);
    FS_CHECK(
        FileError, stopped || static_cast<std::uint64_t>(std::abs(lost)) <= outcomes.mismatches[i],
        "'{}': fault {} changes the top-1 of {} images, but {} more or fewer are correct than without it",
        in.file_name(), i, outcomes.mismatches[i], std::abs(lost));
    FS_CHECK(FileError, !stopped || header.tolerances.empty() || exceeds(drop, header.tolerances.back()),
             "'{}': fault {} was stopped at a drop of at least {}, but the campaign has a tolerance of {}",
             in.file_name(), i, drop, header.tolerances.back());
}

}  // namespace

void check_campaign_header(const H5Reader& in, const CampaignHeader& header)
{
    check_lengths(in, header);
    check_root(in, header);
    check_layers(in, header.layers);
    check_strata(in, header);
    check_golden(in, header);
    check_screen(in, header);
}

void check_strata_counts(const H5Reader& in, const CampaignHeader& header,
                         const std::vector<std::int32_t>& stratum_of_fault)
{
    std::vector<std::uint64_t> counts(header.strata.size(), 0);
    for (const std::int32_t stratum : stratum_of_fault)
        ++counts[static_cast<std::size_t>(stratum)];
    for (std::size_t s = 0; s < counts.size(); ++s)
    {
        in.expect(counts[s] == header.strata.evaluated[s],
                  fmt::format("'/faults' has {} faults of stratum {}, '/strata/evaluated' says {}", counts[s],
                              s, header.strata.evaluated[s]));
    }
}

void check_weight_faults(const H5Reader& in, const CampaignRecord& campaign)
{
    for (std::size_t i = 0; i < campaign.faults.size(); ++i)
    {
        check_fault(in, campaign, i);
        check_outcome(in, campaign, i);
    }
    check_strata_counts(in, campaign.header, campaign.faults.stratum);
}

}  // namespace flipstorm
