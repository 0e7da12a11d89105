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
    double weight = 0;       ///< share of the network's faults that it stands for, up to a factor
    double table_share = 0;  ///< that a table of shares has for it
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
    const auto share = [](double part, double whole) { return whole > 0 ? part / whole : kNaN; };
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
        const double part = std::min(1.0, left / (row.acceptable + row.critical));
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

/// The network's faults that the judges are drawn from were all drawn.
bool is_exhaustive(const CampaignRecord& campaign)
{
    const StrataTable& strata = campaign.header.strata;
    const std::uint64_t population =
        std::accumulate(strata.population.begin(), strata.population.end(), std::uint64_t{0});
    return population == campaign.faults.size();
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
        judges.push_back({level, critical[row] != 0, weights[row],
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

/// The scores of the map in resamples of the judges.
std::map<std::string, std::vector<double>> resampled_scores(const std::vector<Judge>& judges,
                                                            std::size_t first_flagged,
                                                            const CalibrationRecord& calibration,
                                                            std::uint64_t seed)
{
    std::map<std::string, std::vector<double>> resampled;
    for (std::size_t r = 0; r < kResamples; ++r)
    {
        RandomStream random(seed, RandomPurpose::validation, r);
        WeightByLevel weight;
        for (const Judge& judge : judges)
            weight.add(judge, poisson(random));
        for (const auto& [name, value] : scores_of_map(weight, first_flagged, calibration))
            if (!std::isnan(value)) resampled[name].push_back(value);
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

/// Kish's effective number of the judges that a share is of; 0 where the score is no share of them.
double effective_size(const std::string& score, const std::vector<Judge>& judges, std::size_t first_flagged)
{
    const bool of_all = score == "flagged" || score == "critical";
    const bool of_critical = score == "recall" || score == "missed";
    const bool of_flagged = score == "precision";
    double sum = 0;
    double squares = 0;
    for (const Judge& judge : judges)
    {
        if (!(of_all || (of_critical && judge.critical) || (of_flagged && judge.level >= first_flagged)))
            continue;
        sum += judge.weight;
        squares += judge.weight * judge.weight;
    }
    return squares > 0 ? sum * sum / squares : 0;
}

}  // namespace

ValidationRecord validate_map(const ForestRecord& forest, const CampaignRecord& campaign,
                              const CampaignRecord& other)
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
    const bool certain = is_exhaustive(other);
    std::map<std::string, std::vector<double>> resampled;
    if (!certain)
        resampled = resampled_scores(judges, first_flagged, forest.calibration, other.header.provenance.seed);
    for (const auto& [name, meaning] : validation_scores())
    {
        ValidationScore score;
        score.name = name;
        score.value = scores.at(name);
        score.table = of_table.at(name);
        score.low = score.high = certain ? score.value : kNaN;
        if (!certain && !std::isnan(score.value))
        {
            const double size = effective_size(name, judges, first_flagged);
            const ShareInterval share = clopper_pearson_interval(score.value, size);
            score.low = size > 0 ? share.low : quantile(resampled[name], 0.025);
            score.high = size > 0 ? share.high : quantile(resampled[name], 0.975);
        }
        validation.scores.push_back(std::move(score));
    }
    return validation;
}

}  // namespace flipstorm
