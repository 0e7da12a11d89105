#include "analysis/validation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "analysis/calibration.hpp"
#include "analysis/campaign_check.hpp"
#include "analysis/estimates.hpp"
#include "analysis/fault_features.hpp"
#include "analysis/fault_population.hpp"
#include "analysis/metrics.hpp"
#include "analysis/share_table.hpp"
#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/base/statistics.hpp"
#include "engine/base/tolerance.hpp"

namespace flipstorm
{
namespace
{

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kResamples = 200;

/// A fault that judges the map.
struct Judge
{
    std::uint8_t level = 0;  ///< that the map has for it
    bool critical = false;
    std::size_t stratum = 0;  ///< of its campaign
    double weight = 0;        ///< share of the network's faults that it stands for, up to a factor
    double table_share = 0;   ///< that a table of shares has for it
};

/// What the judges of each level stand for.
struct WeightByLevel
{
    std::array<double, kCriticalityLevels> acceptable{};
    std::array<double, kCriticalityLevels> critical{};

    void add(const Judge& judge, double times)
    {
        (judge.critical ? critical : acceptable)[judge.level] += times * judge.weight;
    }
};

/// What is flagged, and all there is, by class.
struct Flagged
{
    double acceptable = 0;
    double critical = 0;
    double all_acceptable = 0;
    double all_critical = 0;

    [[nodiscard]] double flagged() const { return acceptable + critical; }
    [[nodiscard]] double all() const { return all_acceptable + all_critical; }
};

/// The scores by name; those that are not there make no sense.
using Scores = std::map<std::string, double>;

void add_flagged(Scores& scores, const Flagged& sums)
{
    // Sums in another order do not cancel to the last bit.
    const auto share = [](double part, double whole) {
        return whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : kNaN;
    };
    scores["recall"] = share(sums.critical, sums.all_critical);
    scores["missed"] = share(sums.all_critical - sums.critical, sums.all_critical);
    scores["precision"] = share(sums.critical, sums.flagged());
    scores["flagged"] = share(sums.flagged(), sums.all());
    scores["critical"] = share(sums.all_critical, sums.all());
    scores["balanced_accuracy"] =
        (scores["recall"] + share(sums.all_acceptable - sums.acceptable, sums.all_acceptable)) / 2;
}

Flagged flagged_by_map(const WeightByLevel& weight, std::size_t first_flagged)
{
    Flagged sums;
    for (std::size_t level = 0; level < kCriticalityLevels; ++level)
    {
        sums.all_acceptable += weight.acceptable[level];
        sums.all_critical += weight.critical[level];
        if (level < first_flagged) continue;
        sums.acceptable += weight.acceptable[level];
        sums.critical += weight.critical[level];
    }
    return sums;
}

Scores scores_of_map(const WeightByLevel& weight, std::size_t first_flagged,
                     const CalibrationRecord& calibration)
{
    Scores scores;
    add_flagged(scores, flagged_by_map(weight, first_flagged));
    std::vector<ScoredCounts> rows;
    double expected = 0;
    double squares = 0;
    double all = 0;
    for (std::size_t level = 0; level < kCriticalityLevels; ++level)
    {
        const double acceptable = weight.acceptable[level];
        const double critical = weight.critical[level];
        rows.push_back({static_cast<double>(level), acceptable, critical});
        const double p = calibration.probability[level];
        expected += p * (acceptable + critical);
        squares += acceptable * p * p + critical * (1 - p) * (1 - p);
        all += acceptable + critical;
    }
    scores["auc"] = roc_auc(rows);
    scores["pr_auc"] = average_precision(rows);
    scores["expected_critical"] = all > 0 ? expected / all : kNaN;
    scores["brier"] = all > 0 ? squares / all : kNaN;
    return scores;
}

/// Scores of a table of shares that flags so large a share of what there is.
Scores scores_of_table(const std::vector<Judge>& judges, double flagged_share)
{
    std::map<double, ScoredCounts> by_share;
    Flagged sums;
    double expected = 0;
    double squares = 0;
    for (const Judge& judge : judges)
    {
        const double p = judge.table_share;
        ScoredCounts& row = by_share[p];
        row.score = p;
        (judge.critical ? row.critical : row.acceptable) += judge.weight;
        (judge.critical ? sums.all_critical : sums.all_acceptable) += judge.weight;
        expected += p * judge.weight;
        squares += judge.weight * (judge.critical ? (1 - p) * (1 - p) : p * p);
    }
    std::vector<ScoredCounts> rows;
    double left = flagged_share * sums.all();
    for (auto entry = by_share.rbegin(); entry != by_share.rend(); ++entry)
    {
        const ScoredCounts& row = entry->second;
        rows.push_back(row);
        const double part = std::clamp(left / (row.acceptable + row.critical), 0.0, 1.0);
        sums.acceptable += part * row.acceptable;
        sums.critical += part * row.critical;
        left -= part * (row.acceptable + row.critical);
    }
    Scores scores;
    add_flagged(scores, sums);
    scores["auc"] = roc_auc(rows);
    scores["pr_auc"] = average_precision(rows);
    scores["expected_critical"] = expected / sums.all();
    scores["brier"] = squares / sums.all();
    return scores;
}

void check_same(const CampaignRecord& campaign, const CampaignRecord& other, double tolerance)
{
    const Provenance& a = campaign.header.provenance;
    const Provenance& b = other.header.provenance;
    FS_CHECK(DataError, a.model_sha256 == b.model_sha256,
             "it is of another model than the campaign of the map");
    FS_CHECK(DataError, a.dataset_sha256 == b.dataset_sha256,
             "it is of other test images than the campaign of the map");
    FS_CHECK(DataError, campaign.header.fault_model == other.header.fault_model,
             "its faults are {}, those of the map's campaign {}", describe_upset(other.header),
             describe_upset(campaign.header));
    FS_CHECK(DataError, campaign.header.layers.name == other.header.layers.name,
             "its layers are not those of the campaign of the map");
    const std::string obstacle = why_not_learnt(other.header);
    FS_CHECK(DataError, obstacle.empty(), "{}", obstacle);
    for (std::size_t row = 0; row < other.faults.size(); ++row)
    {
        FS_CHECK(DataError, other.outcomes.stopped[row] == 0 || exceeds(other.outcomes.drop[row], tolerance),
                 "it stopped fault {} once its drop exceeded {}; whether it exceeds the map's tolerance of "
                 "{} is not known",
                 row, other.outcomes.drop[row], tolerance);
    }
}

std::vector<Judge> judges_of(const ForestRecord& forest, const CampaignRecord& campaign,
                             const CampaignRecord& other)
{
    const FeatureTable table = FaultFeatures().table(campaign.faults);
    std::vector<std::uint32_t> all(table.rows());
    std::iota(all.begin(), all.end(), 0U);
    const ShareTable shares(table, critical_labels(campaign.outcomes, forest.tolerance), all);
    const std::vector<double> weights = fault_weights(other);
    const std::vector<std::uint8_t> critical = critical_labels(other.outcomes, forest.tolerance);
    std::vector<Judge> judges;
    const FaultTable& faults = other.faults;
    for (std::size_t row = 0; row < faults.size(); ++row)
    {
        const auto layer = static_cast<std::size_t>(faults.layer[row]);
        const LayerCriticality& map = forest.criticality.at(layer);
        const std::uint8_t level =
            map.level.at(faults.parameter[row] * static_cast<std::uint64_t>(map.bits) + faults.bit[row]);
        const bool known = level == kMeasuredAcceptable || level == kMeasuredCritical;
        if (known || !flips_its_bit(faults, row)) continue;
        judges.push_back({level, critical[row] != 0, static_cast<std::size_t>(faults.stratum[row]),
                          weights[row],
                          shares.share(static_cast<float>(layer), static_cast<float>(faults.bit[row]))});
    }
    return judges;
}

/// Number of draws of a Poisson variable of mean 1.
double poisson(RandomStream& random)
{
    double left = random.uniform();
    double probability = std::exp(-1.0);
    double count = 0;
    while (left >= probability && count < 20)
    {
        left -= probability;
        ++count;
        probability /= count;
    }
    return count;
}

/// The scores of the map in resamples of the judges, each stratum of its own.
std::map<std::string, std::vector<double>> resampled_scores(const std::vector<Judge>& judges,
                                                            const StrataTable& strata,
                                                            std::size_t first_flagged,
                                                            const CalibrationRecord& calibration,
                                                            std::uint64_t seed, const StopRequest& stop)
{
    std::vector<double> drawn(strata.size(), 0);
    for (const Judge& judge : judges)
        ++drawn[judge.stratum];
    std::map<std::string, std::vector<double>> resampled;
    std::vector<double> times(judges.size());
    for (std::size_t r = 0; r < kResamples; ++r)
    {
        stop_if_asked(stop);
        RandomStream random(seed, RandomPurpose::validation, r);
        std::vector<double> again(strata.size(), 0);
        for (std::size_t i = 0; i < judges.size(); ++i)
        {
            const std::size_t s = judges[i].stratum;
            times[i] = strata.evaluated[s] == strata.population[s] ? 1 : poisson(random);
            again[s] += times[i];
        }
        WeightByLevel weight;
        for (std::size_t i = 0; i < judges.size(); ++i)
        {
            const std::size_t s = judges[i].stratum;
            if (again[s] > 0) weight.add(judges[i], times[i] * drawn[s] / again[s]);
        }
        for (const auto& [name, value] : scores_of_map(weight, first_flagged, calibration))
        {
            if (!std::isnan(value)) resampled[name].push_back(value);
        }
    }
    for (auto& [name, values] : resampled)
        std::sort(values.begin(), values.end());
    return resampled;
}

/// Value at a share of a sorted list.
double quantile(const std::vector<double>& sorted, double share)
{
    if (sorted.empty()) return kNaN;
    return sorted[static_cast<std::size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)))];
}

/// The share of the judges of a kind that are of another one, with its interval.
template<class Of, class Hit>
ShareEstimate share_of(const std::vector<Judge>& judges, const StrataTable& strata, Of&& of, Hit&& hit)
{
    std::vector<StratumCount> counts(strata.size());
    for (const Judge& judge : judges)
    {
        if (!of(judge)) continue;
        ++counts[judge.stratum].faults;
        counts[judge.stratum].hits += hit(judge) ? 1 : 0;
    }
    std::vector<StratumCount> known;
    for (std::size_t s = 0; s < strata.size(); ++s)
    {
        if (counts[s].faults == 0) continue;
        // As large a part of the stratum as of what was seen of it.
        counts[s].population = static_cast<std::uint64_t>(
            std::llround(static_cast<double>(strata.population[s]) * static_cast<double>(counts[s].faults) /
                         static_cast<double>(strata.evaluated[s])));
        known.push_back(counts[s]);
    }
    return estimate_share(known);
}

/// Intervals of the scores that are shares, by name.
std::map<std::string, ShareInterval> share_intervals(const std::vector<Judge>& judges,
                                                     const StrataTable& strata, std::size_t first_flagged)
{
    const auto all = [](const Judge&) { return true; };
    const auto critical = [](const Judge& judge) { return judge.critical; };
    const auto acceptable = [](const Judge& judge) { return !judge.critical; };
    const auto flagged = [first_flagged](const Judge& judge) { return judge.level >= first_flagged; };
    const auto missed = [first_flagged](const Judge& judge) { return judge.level < first_flagged; };
    std::map<std::string, ShareInterval> intervals;
    intervals["critical"] = share_of(judges, strata, all, critical);
    intervals["flagged"] = share_of(judges, strata, all, flagged);
    intervals["recall"] = share_of(judges, strata, critical, flagged);
    intervals["missed"] = share_of(judges, strata, critical, missed);
    intervals["precision"] = share_of(judges, strata, flagged, critical);
    const ShareInterval passed = share_of(judges, strata, acceptable, missed);
    const ShareInterval& recall = intervals["recall"];
    intervals["balanced_accuracy"] = {(recall.share + passed.share) / 2, (recall.low + passed.low) / 2,
                                      (recall.high + passed.high) / 2};
    return intervals;
}

}  // namespace

ValidationRecord validate_map(const ForestRecord& forest, const CampaignRecord& campaign,
                              const CampaignRecord& other, const StopRequest& stop)
{
    check_campaign(other);
    check_same(campaign, other, forest.tolerance);
    FS_REQUIRE(forest.calibration.probability.size() == kCriticalityLevels,
               "a forest of an earlier version has no calibration");
    const std::vector<Judge> judges = judges_of(forest, campaign, other);
    FS_CHECK(DataError, !judges.empty(),
             "it has no fault that the campaign of the map does not have; nothing new to judge the map by");
    const std::size_t first_flagged = level_of_threshold(forest.threshold);

    ValidationRecord validation;
    validation.campaign_sha256 = other.header.provenance.stage_sha256;
    validation.faults = judges.size();
    validation.threshold = forest.threshold;
    WeightByLevel weight;
    validation.levels = LevelCounts::zeros();
    for (const Judge& judge : judges)
    {
        weight.add(judge, 1);
        validation.critical += judge.critical ? 1 : 0;
        validation.levels.add(judge.level, judge.critical, judge.weight);
    }
    const Scores scores = scores_of_map(weight, first_flagged, forest.calibration);
    const Scores of_table = scores_of_table(judges, scores.at("flagged"));
    const bool certain = has_every_fault(other);
    constexpr std::uint64_t kFew = 10;
    const bool few = std::min(validation.critical, validation.faults - validation.critical) < kFew;
    std::map<std::string, ShareInterval> shares;
    std::map<std::string, std::vector<double>> resampled;
    if (!certain) shares = share_intervals(judges, other.header.strata, first_flagged);
    if (!certain && !few)
        resampled = resampled_scores(judges, other.header.strata, first_flagged, forest.calibration,
                                     other.header.provenance.seed, stop);
    for (const auto& [name, meaning] : validation_scores())
    {
        ValidationScore score;
        score.name = name;
        score.value = scores.at(name);
        score.table = of_table.at(name);
        score.low = score.high = certain ? score.value : kNaN;
        if (const auto share = shares.find(name); share != shares.end() && !std::isnan(score.value))
        {
            score.low = std::min(score.value, share->second.low);
            score.high = std::max(score.value, share->second.high);
        }
        else if (const auto values = resampled.find(name); values != resampled.end())
        {
            score.low = quantile(values->second, 0.025);
            score.high = quantile(values->second, 0.975);
        }
        validation.scores.push_back(std::move(score));
    }
    return validation;
}

}  // namespace flipstorm
