#include "hdf5_schema/forest_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>
#include <utility>
#include <variant>

#include "hdf5_schema/forest_values.hpp"
#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/h5_writer.hpp"

namespace flipstorm
{
namespace
{

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Row-major matrix with a row per tolerance; missing places are NaN.
template<class Row>
std::vector<double> matrix(const std::vector<ToleranceRecord>& tolerances, std::size_t columns, Row&& row)
{
    std::vector<double> values(tolerances.size() * columns, kNaN);
    for (std::size_t t = 0; t < tolerances.size(); ++t)
    {
        const std::vector<double> source = row(tolerances[t]);
        for (std::size_t c = 0; c < std::min(columns, source.size()); ++c)
            values[t * columns + c] = source[c];
    }
    return values;
}

/// One value per tolerance.
template<class T, class Get>
std::vector<T> column(const std::vector<ToleranceRecord>& tolerances, Get&& get)
{
    std::vector<T> values;
    for (const ToleranceRecord& tolerance : tolerances)
        values.push_back(static_cast<T>(get(tolerance)));
    return values;
}

void write_trees(H5Writer& out, const std::vector<ToleranceRecord>& tolerances)
{
    std::vector<std::uint64_t> offset{0};
    std::vector<std::uint64_t> first_node;
    std::uint64_t nodes = 0;
    for (const ToleranceRecord& tolerance : tolerances)
    {
        for (const std::uint64_t node : tolerance.trees.first_node)
            first_node.push_back(nodes + node);
        nodes += tolerance.trees.feature.size();
        offset.push_back(first_node.size());
    }
    out.dataset("/forests/offset", offset);
    out.dataset("/forests/first_node", first_node);
    // One column after the other: all forests together may take gigabytes.
    const auto column = [&](const char* path, auto member) {
        std::decay_t<decltype(tolerances.front().trees.*member)> all;
        all.reserve(nodes);
        for (const ToleranceRecord& tolerance : tolerances)
            all.insert(all.end(), (tolerance.trees.*member).begin(), (tolerance.trees.*member).end());
        out.dataset(path, all);
    };
    column("/forests/feature", &TreesRecord::feature);
    column("/forests/threshold", &TreesRecord::threshold);
    column("/forests/left", &TreesRecord::left);
    column("/forests/right", &TreesRecord::right);
    column("/forests/probability", &TreesRecord::probability);
}

void read_trees(const H5Reader& in, std::vector<ToleranceRecord>& tolerances)
{
    const auto offset = in.dataset<std::uint64_t>("/forests/offset");
    const auto first_node = in.dataset<std::uint64_t>("/forests/first_node");
    const auto feature = in.dataset<std::int32_t>("/forests/feature");
    const auto threshold = in.dataset<float>("/forests/threshold");
    const auto left = in.dataset<std::int32_t>("/forests/left");
    const auto right = in.dataset<std::int32_t>("/forests/right");
    const auto probability = in.dataset<float>("/forests/probability");
    const std::size_t nodes = feature.size();
    in.expect(threshold.size() == nodes && left.size() == nodes && right.size() == nodes &&
                  probability.size() == nodes,
              "the node columns of '/forests' differ in length");
    const auto rises_to = [](const std::vector<std::uint64_t>& values, std::uint64_t last) {
        return std::is_sorted(values.begin(), values.end()) && (values.empty() || values.back() <= last);
    };
    in.expect(offset.size() == tolerances.size() + 1 && offset.front() == 0 &&
                  offset.back() == first_node.size() && rises_to(offset, first_node.size()),
              "'/forests/offset' does not rise from 0 to the rows of '/forests/first_node', one step for "
              "each tolerance");
    in.expect(rises_to(first_node, nodes), "'/forests/first_node' does not rise up to the number of nodes");
    for (std::size_t t = 0; t < tolerances.size(); ++t)
    {
        if (offset[t] == offset[t + 1]) continue;
        TreesRecord& trees = tolerances[t].trees;
        const std::uint64_t first = first_node[offset[t]];
        const std::uint64_t last = first_node[offset[t + 1] - 1];
        for (std::uint64_t i = offset[t]; i < offset[t + 1]; ++i)
            trees.first_node.push_back(first_node[i] - first);
        const auto cut = [&](const auto& values) {
            return std::decay_t<decltype(values)>(values.begin() + static_cast<std::ptrdiff_t>(first),
                                                  values.begin() + static_cast<std::ptrdiff_t>(last));
        };
        trees.feature = cut(feature);
        trees.threshold = cut(threshold);
        trees.left = cut(left);
        trees.right = cut(right);
        trees.probability = cut(probability);
    }
}

/// Groups of scores, and the folds or splits that they are of.
struct ScoreGroup
{
    const char* suffix;
    std::vector<ScoreRecord> ToleranceRecord::*member;
};
constexpr std::array<ScoreGroup, 3> kScoreGroups = {{{"_folds", &ToleranceRecord::folds},
                                                     {"_grouped_folds", &ToleranceRecord::grouped_folds},
                                                     {"_splits", &ToleranceRecord::splits}}};

std::size_t columns_of(const ScoreGroup& group, const ForestRecord& forest)
{
    return static_cast<std::size_t>(group.member == &ToleranceRecord::splits ? forest.splits : forest.folds);
}

constexpr std::array<std::pair<const char*, double ConfusionRecord::*>, 4> kConfusion = {
    {{"acceptable_acceptable", &ConfusionRecord::acceptable_acceptable},
     {"acceptable_critical", &ConfusionRecord::acceptable_critical},
     {"critical_acceptable", &ConfusionRecord::critical_acceptable},
     {"critical_critical", &ConfusionRecord::critical_critical}}};

/// Six columns of levels, a row for each element of `rows`.
template<class Rows, class Levels>
void write_levels(H5Writer& out, const std::string& root, const Rows& rows, Levels&& levels_of)
{
    for (const LevelColumn& column : level_columns())
    {
        std::visit(
            [&](auto member) {
                std::decay_t<decltype(std::declval<LevelCounts>().*member)> values;
                for (const auto& row : rows)
                    values.insert(values.end(), (levels_of(row).*member).begin(),
                                  (levels_of(row).*member).end());
                out.dataset(root + column.name, values, {rows.size(), kCriticalityLevels});
            },
            column.member);
    }
}

/// The same back, into `levels_of(i)` for each of `count` rows.
template<class Levels>
void read_level_columns(const H5Reader& in, const std::string& root, std::size_t count, Levels&& levels_of)
{
    for (const LevelColumn& column : level_columns())
    {
        const std::string path = root + column.name;
        std::visit(
            [&](auto member) {
                using Values = std::decay_t<decltype(std::declval<LevelCounts>().*member)>;
                const auto values = in.dataset<typename Values::value_type>(path);
                in.expect(values.size() == count * kCriticalityLevels,
                          fmt::format("'{}' has {} values, {} are expected", path, values.size(),
                                      count * kCriticalityLevels));
                for (std::size_t i = 0; i < count; ++i)
                {
                    const auto first = values.begin() + static_cast<std::ptrdiff_t>(i * kCriticalityLevels);
                    (levels_of(i).*member)
                        .assign(first, first + static_cast<std::ptrdiff_t>(kCriticalityLevels));
                }
            },
            column.member);
    }
}

/// How good a kind of model is: scores, confusion and importances, below `root`.
void write_judgement(H5Writer& out, const std::string& root, const std::vector<ToleranceRecord>& rows,
                     const ForestRecord& forest)
{
    const auto write = [&](const std::string& path, const std::vector<double>& values,
                           std::vector<hsize_t> dims) {
        out.dataset(root + path, values, std::move(dims));
        out.attach_scale(root + path, 0, "/tolerances");
    };
    for (const ScoreColumn& score : score_columns())
    {
        for (const ScoreGroup& group : kScoreGroups)
        {
            const std::size_t columns = columns_of(group, forest);
            write(fmt::format("/scores/{}{}", score.name, group.suffix),
                  matrix(rows, columns,
                         [&](const ToleranceRecord& r) { return values_of(r.*group.member, score.member); }),
                  {rows.size(), columns});
        }
        write(fmt::format("/scores/{}_test", score.name),
              column<double>(rows, [&](const ToleranceRecord& r) { return r.test().*score.member; }),
              {rows.size()});
    }
    for (const auto& [name, member] : kConfusion)
    {
        const auto share = member;
        write(fmt::format("/confusion/{}", name),
              column<double>(rows, [share](const ToleranceRecord& r) { return r.confusion.*share; }),
              {rows.size()});
    }
    write_levels(out, root + "/levels/", rows,
                 [](const ToleranceRecord& row) -> const LevelCounts& { return row.levels; });
    for (const LevelColumn& column : level_columns())
        out.attach_scale(root + "/levels/" + column.name, 0, "/tolerances");
    const std::size_t features = forest.features.size();
    write("/importance_error",
          matrix(rows, features, [](const ToleranceRecord& r) { return r.importance_error; }),
          {rows.size(), features});
    write("/importance", matrix(rows, features, [](const ToleranceRecord& r) { return r.importance; }),
          {rows.size(), features});
}

}  // namespace

const std::array<ScoreColumn, 6>& score_columns()
{
    static const std::array<ScoreColumn, 6> columns = {
        {{"auc", &ScoreRecord::auc, "area under the ROC curve"},
         {"pr_auc", &ScoreRecord::pr_auc, "average precision, the area under the precision-recall curve"},
         {"balanced_accuracy", &ScoreRecord::balanced_accuracy,
          "mean of the shares of both classes that are predicted rightly, at a vote of 0.5"},
         {"recall", &ScoreRecord::recall,
          "share of the critical faults that are predicted critical, at a vote of 0.5"},
         {"precision", &ScoreRecord::precision,
          "share of the faults predicted critical that are, at a vote of 0.5; NaN where none is"},
         {"brier", &ScoreRecord::brier, "Brier score of the votes, the mean of (vote - class)^2"}}};
    return columns;
}

const std::array<LevelColumn, 6>& level_columns()
{
    static const std::array<LevelColumn, 6> columns = {
        {{"acceptable", &LevelCounts::acceptable},
         {"critical", &LevelCounts::critical},
         {"acceptable_share", &LevelCounts::acceptable_weight},
         {"critical_share", &LevelCounts::critical_weight},
         {"acceptable_squares", &LevelCounts::acceptable_squares},
         {"critical_squares", &LevelCounts::critical_squares}}};
    return columns;
}

LevelCounts LevelCounts::zeros()
{
    LevelCounts counts;
    counts.add({});
    return counts;
}

void LevelCounts::add(std::size_t level, bool is_critical, double weight)
{
    ++(is_critical ? critical : acceptable)[level];
    (is_critical ? critical_weight : acceptable_weight)[level] += weight;
    (is_critical ? critical_squares : acceptable_squares)[level] += weight * weight;
}

void LevelCounts::add(const LevelCounts& more)
{
    for (const LevelColumn& column : level_columns())
    {
        std::visit(
            [&](auto member) {
                auto& to = this->*member;
                to.resize(kCriticalityLevels, 0);
                for (std::size_t level = 0; level < (more.*member).size(); ++level)
                    to[level] += (more.*member)[level];
            },
            column.member);
    }
}

std::vector<double> values_of(const std::vector<ScoreRecord>& records, double ScoreRecord::*score)
{
    std::vector<double> values;
    for (const ScoreRecord& record : records)
        values.push_back(record.*score);
    return values;
}

const ToleranceRecord* trained_record(const std::vector<ToleranceRecord>& records, double tolerance)
{
    const auto found =
        std::find_if(records.begin(), records.end(), [tolerance](const ToleranceRecord& record) {
            return record.tolerance == tolerance && record.trained;
        });
    return found == records.end() ? nullptr : &*found;
}

const std::vector<std::pair<std::string, std::string>>& validation_scores()
{
    static const std::vector<std::pair<std::string, std::string>> names = {
        {"auc", "area under the ROC curve of the votes"},
        {"pr_auc", "average precision of the votes"},
        {"balanced_accuracy", "mean of the shares of both classes that are predicted rightly"},
        {"recall", "share of the critical bits that are flagged"},
        {"missed", "share of the critical bits that are not flagged"},
        {"precision", "share of the flagged bits that are critical"},
        {"flagged", "share of the bits that are flagged"},
        {"critical", "share of the bits that are critical"},
        {"expected_critical", "the same as the calibrated probabilities have it"},
        {"brier", "mean of (calibrated probability - class)^2"}};
    return names;
}

namespace
{

constexpr std::array<std::pair<const char*, double ValidationScore::*>, 4> kValidationColumns = {
    {{"value", &ValidationScore::value},
     {"low", &ValidationScore::low},
     {"high", &ValidationScore::high},
     {"table", &ValidationScore::table}}};

void write_validation(H5Writer& out, const ValidationRecord& validation)
{
    if (validation.campaign_sha256.empty()) return;
    std::vector<std::string> names;
    for (const ValidationScore& score : validation.scores)
        names.push_back(score.name);
    out.dataset("/validation/score", names);
    for (const auto& [name, member] : kValidationColumns)
    {
        std::vector<double> values;
        for (const ValidationScore& score : validation.scores)
            values.push_back(score.*member);
        out.dataset(std::string("/validation/") + name, values);
        out.attach_scale(std::string("/validation/") + name, 0, "/validation/score");
    }
    const std::array<const LevelCounts*, 1> levels{&validation.levels};
    write_levels(out, "/validation/levels/", levels,
                 [](const LevelCounts* row) -> const LevelCounts& { return *row; });
    out.attribute("/validation/score", "campaign_sha256", validation.campaign_sha256);
    out.attribute("/validation/score", "faults", validation.faults);
    out.attribute("/validation/score", "critical", validation.critical);
    out.attribute("/validation/score", "threshold", validation.threshold);
}

}  // namespace

void write_forest(const std::filesystem::path& file, const ForestRecord& forest)
{
    H5Writer out(file, forest_spec(), forest.provenance);
    const std::vector<ToleranceRecord>& rows = forest.tolerances;
    out.attribute("/", "campaign_sha256", forest.campaign_sha256);
    out.attribute("/", "kind", forest.kind);
    out.attribute("/", "sampling", forest.sampling);
    out.attribute("/", "trees", forest.trees);
    out.attribute("/", "folds", forest.folds);
    out.attribute("/", "splits", forest.splits);
    out.attribute("/", "test_share", forest.test_share);
    out.attribute("/", "tolerance", forest.tolerance);
    out.attribute("/", "threshold", forest.threshold);
    out.dataset("/features", forest.features);
    using Row = ToleranceRecord;
    out.dataset("/tolerances", column<double>(rows, [](const Row& r) { return r.tolerance; }));
    out.dataset("/samples/trained",
                column<std::uint8_t>(rows, [](const Row& r) { return r.trained ? 1 : 0; }));
    out.dataset("/samples/rows", column<std::uint64_t>(rows, [](const Row& r) { return r.rows; }));
    out.dataset("/samples/critical", column<std::uint64_t>(rows, [](const Row& r) { return r.critical; }));
    write_judgement(out, "", rows, forest);
    for (const char* path : {"/samples/trained", "/samples/rows", "/samples/critical"})
        out.attach_scale(path, 0, "/tolerances");
    write_trees(out, rows);
    out.dataset("/roc/false_positive_rate", forest.roc.false_positive_rate);
    out.dataset("/roc/true_positive_rate", forest.roc.true_positive_rate);
    out.dataset("/roc/threshold", forest.roc.threshold);
    for (const LayerCriticality& layer : forest.criticality)
    {
        const std::string path = "/criticality/" + layer.layer;
        out.dataset(path, layer.probability, {layer.weights, static_cast<hsize_t>(layer.bits)});
        out.attribute(path, "tolerance", forest.tolerance);
    }
    const std::size_t repeats =
        forest.features.empty() ? 0 : forest.permutation_importance.size() / forest.features.size();
    out.dataset("/permutation_importance", forest.permutation_importance, {forest.features.size(), repeats});
    for (const LayerCriticality& layer : forest.criticality)
        out.dataset("/level/" + layer.layer, layer.level, {layer.weights, static_cast<hsize_t>(layer.bits)});
    out.dataset("/calibration/probability", forest.calibration.probability);
    out.dataset("/calibration/low", forest.calibration.low);
    out.dataset("/calibration/high", forest.calibration.high);
    for (const ComparedRecord& other : forest.compare)
        write_judgement(out, "/compare/" + other.kind, other.tolerances, forest);
    write_validation(out, forest.validation);
    out.publish();
}

namespace
{

/// One file's columns of a group of scores, by tolerance; a file before version 1.2 has the areas under ROC
/// curves alone.
void read_judgement(const H5Reader& in, const std::string& root, const ForestRecord& forest,
                    std::vector<ToleranceRecord>& records)
{
    const std::size_t count = records.size();
    const auto read = [&](const std::string& path, std::size_t columns) {
        auto values = in.dataset<double>(root + path);
        in.expect(values.size() == count * columns, fmt::format("'{}' has {} values, {} are expected",
                                                                root + path, values.size(), count * columns));
        return values;
    };
    const bool old = in.minor_version() < 2;
    for (const ScoreColumn& score : score_columns())
    {
        if (old && score.member != &ScoreRecord::auc) continue;
        for (const ScoreGroup& group : kScoreGroups)
        {
            const bool single = old && group.member == &ToleranceRecord::splits;
            const std::size_t columns = columns_of(group, forest);
            const auto values =
                read(fmt::format("/scores/{}{}", score.name, single ? "_test" : group.suffix), columns);
            for (std::size_t t = 0; t < count; ++t)
            {
                std::vector<ScoreRecord>& of_tolerance = records[t].*group.member;
                of_tolerance.resize(columns);
                for (std::size_t c = 0; c < columns; ++c)
                    of_tolerance[c].*score.member = values[t * columns + c];
            }
        }
    }
    for (const auto& [name, member] : kConfusion)
    {
        const auto values = read(fmt::format("/confusion/{}", name), 1);
        for (std::size_t t = 0; t < count; ++t)
            records[t].confusion.*member = values[t];
    }
    if (!old)
    {
        read_level_columns(in, root + "/levels/", count,
                           [&](std::size_t t) -> LevelCounts& { return records[t].levels; });
    }
    const std::size_t features = forest.features.size();
    const auto importance = read("/importance", features);
    const auto error = old ? std::vector<double>() : read("/importance_error", features);
    for (std::size_t t = 0; t < count; ++t)
    {
        const auto cut = [&](const std::vector<double>& values) {
            const auto first = values.begin() + static_cast<std::ptrdiff_t>(t * features);
            return std::vector<double>(first, first + static_cast<std::ptrdiff_t>(features));
        };
        records[t].importance = cut(importance);
        if (!old) records[t].importance_error = cut(error);
    }
}

/// What is the same of all models: tolerances and the rows that they have.
std::vector<ToleranceRecord> read_samples(const H5Reader& in)
{
    const auto tolerances = in.dataset<double>("/tolerances");
    const auto trained = in.dataset<std::uint8_t>("/samples/trained");
    const auto rows = in.dataset<std::uint64_t>("/samples/rows");
    const auto critical = in.dataset<std::uint64_t>("/samples/critical");
    const std::size_t count = tolerances.size();
    in.expect(trained.size() == count && rows.size() == count && critical.size() == count,
              "'/samples' does not fit '/tolerances'");
    std::vector<ToleranceRecord> records(count);
    for (std::size_t t = 0; t < count; ++t)
    {
        in.expect(trained[t] <= 1, fmt::format("'/samples/trained' has {}; 0 or 1 are possible", trained[t]));
        records[t].tolerance = tolerances[t];
        records[t].trained = trained[t] != 0;
        records[t].rows = rows[t];
        records[t].critical = critical[t];
    }
    return records;
}

std::vector<LayerCriticality> read_criticality(const H5Reader& in, double tolerance)
{
    constexpr hsize_t kMostBits = 64;
    std::vector<LayerCriticality> layers;
    for (const std::string& name : in.names("/criticality"))
    {
        const std::string path = "/criticality/" + name;
        const std::vector<hsize_t> dims = in.dims(path);
        in.expect(dims[1] >= 1 && dims[1] <= kMostBits,
                  fmt::format("'{}' is of words of {} bits; 1 to {} are possible", path, dims[1], kMostBits));
        const auto of_layer = in.attribute<double>(path, "tolerance");
        in.expect(of_layer == tolerance,
                  fmt::format("'{}' is for a tolerance of {}, the file for {}", path, of_layer, tolerance));
        layers.push_back(
            {name, dims[0], static_cast<std::int32_t>(dims[1]), in.dataset<std::uint8_t>(path), {}});
    }
    return layers;
}

}  // namespace

namespace
{

void read_levels(const H5Reader& in, ForestRecord& forest)
{
    forest.threshold = in.attribute<double>("/", "threshold");
    forest.permutation_importance = in.dataset<double>("/permutation_importance");
    in.expect(in.dims("/permutation_importance").front() == forest.features.size(),
              "'/permutation_importance' does not fit '/features'");
    forest.calibration = {in.dataset<double>("/calibration/probability"),
                          in.dataset<double>("/calibration/low"), in.dataset<double>("/calibration/high")};
    for (const auto* column :
         {&forest.calibration.probability, &forest.calibration.low, &forest.calibration.high})
    {
        in.expect(column->size() == kCriticalityLevels,
                  fmt::format("a column of '/calibration' has {} values, {} are expected", column->size(),
                              kCriticalityLevels));
    }
    for (LayerCriticality& layer : forest.criticality)
    {
        const std::string path = "/level/" + layer.layer;
        layer.level = in.dataset<std::uint8_t>(path);
        in.expect(layer.level.size() == layer.probability.size(),
                  fmt::format("'{}' has {} values, '/criticality/{}' has {}", path, layer.level.size(),
                              layer.layer, layer.probability.size()));
    }
}

ValidationRecord read_validation(const H5Reader& in)
{
    ValidationRecord validation;
    validation.campaign_sha256 = in.text_attribute("/validation/score", "campaign_sha256");
    validation.faults = in.attribute<std::uint64_t>("/validation/score", "faults");
    validation.critical = in.attribute<std::uint64_t>("/validation/score", "critical");
    validation.threshold = in.attribute<double>("/validation/score", "threshold");
    for (const std::string& name : in.texts("/validation/score"))
        validation.scores.push_back({name});
    for (const auto& [name, member] : kValidationColumns)
    {
        const auto values = in.dataset<double>(std::string("/validation/") + name);
        in.expect(values.size() == validation.scores.size(),
                  fmt::format("'/validation/{}' has {} values, '/validation/score' has {}", name,
                              values.size(), validation.scores.size()));
        for (std::size_t i = 0; i < values.size(); ++i)
            validation.scores[i].*member = values[i];
    }
    read_level_columns(in, "/validation/levels/", 1,
                       [&](std::size_t) -> LevelCounts& { return validation.levels; });
    return validation;
}

}  // namespace

ForestRecord read_forest(const std::filesystem::path& file)
{
    constexpr std::int32_t kMostFolds = 1000;
    const H5Reader in(file, forest_spec());
    ForestRecord forest;
    forest.provenance = in.provenance();
    forest.campaign_sha256 = in.text_attribute("/", "campaign_sha256");
    forest.kind = in.text_attribute("/", "kind");
    forest.sampling = in.text_attribute("/", "sampling");
    forest.trees = in.attribute<std::int32_t>("/", "trees");
    forest.folds = in.attribute<std::int32_t>("/", "folds");
    in.expect(forest.folds >= 0 && forest.folds <= kMostFolds,
              fmt::format("'folds' is {}; 0 to {} are possible", forest.folds, kMostFolds));
    if (in.minor_version() >= 2) forest.splits = in.attribute<std::int32_t>("/", "splits");
    in.expect(forest.splits >= 1 && forest.splits <= kMostFolds,
              fmt::format("'splits' is {}; 1 to {} are possible", forest.splits, kMostFolds));
    forest.test_share = in.attribute<double>("/", "test_share");
    forest.tolerance = in.attribute<double>("/", "tolerance");
    forest.features = in.texts("/features");
    const std::vector<ToleranceRecord> samples = read_samples(in);
    forest.tolerances = samples;
    read_judgement(in, "", forest, forest.tolerances);
    read_trees(in, forest.tolerances);
    if (in.minor_version() >= 2 && in.has("/compare"))
    {
        for (const std::string& kind : in.names("/compare"))
        {
            forest.compare.push_back({kind, samples});
            read_judgement(in, "/compare/" + kind, forest, forest.compare.back().tolerances);
        }
    }
    forest.roc.false_positive_rate = in.dataset<double>("/roc/false_positive_rate");
    forest.roc.true_positive_rate = in.dataset<double>("/roc/true_positive_rate");
    forest.roc.threshold = in.dataset<double>("/roc/threshold");
    forest.criticality = read_criticality(in, forest.tolerance);
    if (in.minor_version() >= 2) read_levels(in, forest);
    if (in.minor_version() >= 3 && in.has("/validation")) forest.validation = read_validation(in);
    check_forest_values(in, forest);
    return forest;
}

}  // namespace flipstorm
