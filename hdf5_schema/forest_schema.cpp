// The schema of forest.h5.

#include <fmt/format.h>

#include <utility>

#include "hdf5_schema/forest_file.hpp"
#include "hdf5_schema/schema.hpp"

namespace flipstorm
{
namespace
{

using T = ElementType;

/// Rows by level, six columns below `root`. \param of  which rows these are
void add_level_columns(std::vector<DatasetSpec>& list, const std::string& root, const std::string& dimension,
                       const std::string& of)
{
    const auto add = [&](const char* name, ElementType type, const char* units, const std::string& text) {
        list.push_back({fmt::format("{}/{}", root, name), type, {dimension, "256"}, units, text});
    };
    add("acceptable", T::uint64, "fault", of + ": acceptable ones");
    add("critical", T::uint64, "fault", "the same: critical ones");
    add("acceptable_share", T::float64, "1",
        fmt::format("share of the network's faults that those of {}/acceptable stand for", root));
    add("critical_share", T::float64, "1",
        fmt::format("share of the network's faults that those of {}/critical stand for", root));
    add("acceptable_squares", T::float64, "1", "sum of the squares of what each acceptable one stands for");
    add("critical_squares", T::float64, "1", "sum of the squares of what each critical one stands for");
}

/// How good a kind of model is, below `root`.
void add_judgement(std::vector<DatasetSpec>& list, const std::string& root)
{
    for (const ScoreColumn& score : score_columns())
    {
        const auto add = [&](const std::string& suffix, std::vector<std::string> dims,
                             const std::string& of) {
            list.push_back({fmt::format("{}/scores/{}_{}", root, score.name, suffix), T::float64,
                            std::move(dims), "1",
                            fmt::format("{}{}; NaN where there is none", score.description, of)});
        };
        add("folds", {"tolerance", "fold"}, ": of each cross-validation fold");
        add("grouped_folds", {"tolerance", "fold"},
            ": the same with rows of equal features kept in one fold");
        add("splits", {"tolerance", "split"}, ": on the test rows of each split");
        add("test", {"tolerance"}, ": on the test rows of the first split");
    }
    const auto add = [&](const std::string& path, std::vector<std::string> dims, const char* units,
                         const char* text) {
        list.push_back({root + path, T::float64, std::move(dims), units, text});
    };
    add("/confusion/acceptable_acceptable", {"tolerance"}, "%",
        "test rows of the first split: truly acceptable, predicted acceptable");
    add("/confusion/acceptable_critical", {"tolerance"}, "%",
        "test rows of the first split: truly acceptable, predicted critical");
    add("/confusion/critical_acceptable", {"tolerance"}, "%",
        "test rows of the first split: truly critical, predicted acceptable");
    add("/confusion/critical_critical", {"tolerance"}, "%",
        "test rows of the first split: truly critical, predicted critical");
    add_level_columns(
        list, root + "/levels", "tolerance",
        "faults that the model was not trained on (all folds together), by the level of its vote");
    add("/importance_error", {"tolerance", "feature"}, "1", "standard error of /importance over the trees");
    add("/importance", {"tolerance", "feature"}, "1",
        "mean decrease of Gini impurity, normalised to 1; NaN where there is no forest");
}

/// How well the map agrees with faults of another campaign.
void add_validation(std::vector<DatasetSpec>& list)
{
    std::string meanings;
    for (const auto& [name, meaning] : validation_scores())
        meanings += fmt::format("{}`{}` {}", meanings.empty() ? "" : "; ", name, meaning);
    list.push_back(
        {"/validation/score",
         T::text,
         {"score"},
         "1",
         "what says how the map agrees with faults of another campaign that its own did not inject "
         "(`forest --validate`): " +
             meanings});
    const auto add = [&list](const char* name, const char* text) {
        list.push_back({fmt::format("/validation/{}", name), T::float64, {"score"}, "1", text});
    };
    add("value", "the score, for the bits that the map's campaign did not inject");
    add("low", "lower limit of its 95 % interval; NaN where there is none");
    add("high", "upper limit of its 95 % interval; NaN where there is none");
    add("table",
        "the same of a table of critical shares by layer and bit that flags as many bits; NaN where it says "
        "nothing");
}

std::vector<DatasetSpec> datasets()
{
    std::vector<DatasetSpec> list = {
        {"/features", T::text, {"feature"}, "1", "features of a fault, in the order the trees number them"},
        {"/tolerances", T::float64, {"tolerance"}, "1", "tolerated drops"},
        {"/samples/trained",
         T::uint8,
         {"tolerance"},
         "1",
         "whether a forest could be trained",
         {{0, "only one class in the sample"}, {1, "trained"}}},
        {"/samples/rows", T::uint64, {"tolerance"}, "fault", "faults of the campaign"},
        {"/samples/critical", T::uint64, {"tolerance"}, "fault", "of those, critical for the tolerance"},
    };
    add_judgement(list, "");
    const std::vector<DatasetSpec> more = {
        {"/forests/offset",
         T::uint64,
         {"tolerance + 1"},
         "1",
         "first row of each forest in /forests/first_node; a forest has trees + 1 rows, or none where "
         "untrained"},
        {"/forests/first_node",
         T::uint64,
         {"root"},
         "1",
         "row of each tree's root in the node columns, and after the last tree the row behind it"},
        {"/forests/feature", T::int32, {"node"}, "1", "feature a node tests", {{-1, "leaf"}}},
        {"/forests/threshold", T::float32, {"node"}, "1", "go left if the feature is at most this"},
        {"/forests/left",
         T::int32,
         {"node"},
         "1",
         "left child, counted from the tree's root",
         {{-1, "leaf"}}},
        {"/forests/right",
         T::int32,
         {"node"},
         "1",
         "right child, counted from the tree's root",
         {{-1, "leaf"}}},
        {"/forests/probability", T::float32, {"node"}, "1", "share of critical weight in the node"},
        {"/roc/false_positive_rate", T::float64, {"point"}, "1", "ROC curve on the held-out rows"},
        {"/roc/true_positive_rate", T::float64, {"point"}, "1", "ROC curve on the held-out rows"},
        {"/roc/threshold", T::float64, {"point"}, "1", "predicted critical from this probability on"},
        {"/criticality/<layer>",
         T::uint8,
         {"weight", "bit"},
         "1/255",
         "votes × 255 that flipping the bit is critical"},
        {"/permutation_importance",
         T::float64,
         {"feature", "repeat"},
         "1",
         "loss of ROC AUC on held-out rows when the feature's values are shuffled, for the tolerance of "
         "the map; no columns where there is no forest"},
        {"/level/<layer>",
         T::uint8,
         {"weight", "bit"},
         "1",
         "row of /calibration: the vote × 255 within 1 … 254, in the place of a measured outcome 0 = "
         "acceptable, 255 = critical"},
        {"/calibration/probability",
         T::float64,
         {"256"},
         "1",
         "probability that flipping a bit of a level is critical, for the network's faults"},
        {"/calibration/low", T::float64, {"256"}, "1", "lower limit of its 95 % interval"},
        {"/calibration/high", T::float64, {"256"}, "1", "upper limit of its 95 % interval"},
    };
    list.insert(list.end(), more.begin(), more.end());
    const std::size_t own = list.size();
    add_judgement(list, "/compare/<kind>");
    add_validation(list);
    add_level_columns(list, "/validation/levels", "1", "the faults, by the level that the map has for them");
    for (std::size_t i = own; i < list.size(); ++i)
        list[i].optional = true;  // a table alone is compared with nothing, and few maps are validated
    return list;
}

}  // namespace

const FileSpec& forest_spec()
{
    static const FileSpec spec = {
        "flipstorm/forest",
        "forest.h5",
        1,
        3,
        1,
        {
            {"/", "campaign_sha256", T::text, "", "`stage_sha256` of the campaign"},
            {"/", "kind", T::text, "",
             "`brf` balanced random forest, `rf` random forest, `table` critical share by layer and bit"},
            {"/", "sampling", T::text, "",
             "how a balanced forest draws its rows: `undersample_bootstrap` or `stratified_bootstrap`"},
            {"/", "trees", T::int32, "", "trees per forest"},
            {"/", "folds", T::int32, "", "folds of the cross-validation"},
            {"/", "splits", T::int32, "",
             "splits into training and test rows; the recorded forest is of the first"},
            {"/", "test_share", T::float64, "", "share of the rows held out for the test"},
            {"/", "tolerance", T::float64, "", "tolerance of /criticality and /roc"},
            {"/", "threshold", T::float64, "",
             "vote from which on a bit of the map counts as critical: 0.5, or as forest.max_missed asks"},
            {"/criticality/<layer>", "tolerance", T::float64, "", "tolerance the probabilities are for"},
            {"/validation/score",
             "campaign_sha256",
             T::text,
             "",
             "`stage_sha256` of the other campaign",
             {},
             true},
            {"/validation/score",
             "faults",
             T::uint64,
             "",
             "faults of it that the map's campaign did not inject",
             {},
             true},
            {"/validation/score",
             "critical",
             T::uint64,
             "",
             "of those, critical for the tolerance",
             {},
             true},
            {"/validation/score",
             "threshold",
             T::float64,
             "",
             "vote from which on a bit was flagged",
             {},
             true},
        },
        datasets()};
    return spec;
}

}  // namespace flipstorm
