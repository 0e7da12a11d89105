#include "hdf5_schema/forest_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

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
        const std::vector<double>& source = row(tolerances[t]);
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
    TreesRecord all;
    for (const ToleranceRecord& tolerance : tolerances)
    {
        const TreesRecord& trees = tolerance.trees;
        const std::uint64_t base = all.feature.size();
        for (const std::uint64_t node : trees.first_node)
            all.first_node.push_back(base + node);
        all.feature.insert(all.feature.end(), trees.feature.begin(), trees.feature.end());
        all.threshold.insert(all.threshold.end(), trees.threshold.begin(), trees.threshold.end());
        all.left.insert(all.left.end(), trees.left.begin(), trees.left.end());
        all.right.insert(all.right.end(), trees.right.begin(), trees.right.end());
        all.probability.insert(all.probability.end(), trees.probability.begin(), trees.probability.end());
        offset.push_back(all.first_node.size());
    }
    out.dataset("/forests/offset", offset);
    out.dataset("/forests/first_node", all.first_node);
    out.dataset("/forests/feature", all.feature);
    out.dataset("/forests/threshold", all.threshold);
    out.dataset("/forests/left", all.left);
    out.dataset("/forests/right", all.right);
    out.dataset("/forests/probability", all.probability);
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

}  // namespace

void write_forest(const std::filesystem::path& file, const ForestRecord& forest)
{
    H5Writer out(file, forest_spec(), forest.provenance);
    const std::vector<ToleranceRecord>& rows = forest.tolerances;
    const auto folds = static_cast<std::size_t>(forest.folds);
    out.attribute("/", "campaign_sha256", forest.campaign_sha256);
    out.attribute("/", "kind", forest.kind);
    out.attribute("/", "sampling", forest.sampling);
    out.attribute("/", "trees", forest.trees);
    out.attribute("/", "folds", forest.folds);
    out.attribute("/", "test_share", forest.test_share);
    out.attribute("/", "tolerance", forest.tolerance);
    out.dataset("/features", forest.features);
    using Row = ToleranceRecord;
    out.dataset("/tolerances", column<double>(rows, [](const Row& r) { return r.tolerance; }));
    out.dataset("/samples/trained",
                column<std::uint8_t>(rows, [](const Row& r) { return r.trained ? 1 : 0; }));
    out.dataset("/samples/rows", column<std::uint64_t>(rows, [](const Row& r) { return r.rows; }));
    out.dataset("/samples/critical", column<std::uint64_t>(rows, [](const Row& r) { return r.critical; }));
    const auto scores = [&](const char* path, auto&& get) {
        out.dataset(path, matrix(rows, folds, get), {rows.size(), folds});
    };
    scores(
        "/scores/auc_folds", [](const Row& r) -> const auto& { return r.auc_folds; });
    scores(
        "/scores/auc_grouped_folds", [](const Row& r) -> const auto& { return r.auc_grouped_folds; });
    out.dataset("/scores/auc_test", column<double>(rows, [](const Row& r) { return r.auc_test; }));
    const auto confusion = [&](const std::string& name, double ConfusionRecord::*member) {
        out.dataset("/confusion/" + name,
                    column<double>(rows, [&](const Row& r) { return r.confusion.*member; }));
    };
    confusion("acceptable_acceptable", &ConfusionRecord::acceptable_acceptable);
    confusion("acceptable_critical", &ConfusionRecord::acceptable_critical);
    confusion("critical_acceptable", &ConfusionRecord::critical_acceptable);
    confusion("critical_critical", &ConfusionRecord::critical_critical);
    out.dataset("/importance",
                matrix(
                    rows, forest.features.size(), [](const Row& r) -> const auto& { return r.importance; }),
                {rows.size(), forest.features.size()});
    for (const char* path : {"/samples/trained", "/samples/rows", "/samples/critical", "/scores/auc_folds",
                             "/scores/auc_grouped_folds", "/scores/auc_test",
                             "/confusion/acceptable_acceptable", "/confusion/acceptable_critical",
                             "/confusion/critical_acceptable", "/confusion/critical_critical", "/importance"})
    {
        out.attach_scale(path, 0, "/tolerances");
    }
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
    out.publish();
}

namespace
{

/// The rows of all tables that have one for each tolerance.
std::vector<ToleranceRecord> read_tolerances(const H5Reader& in, std::size_t folds, std::size_t features)
{
    const auto tolerances = in.dataset<double>("/tolerances");
    const std::size_t count = tolerances.size();
    const auto read = [&](const std::string& path, std::size_t columns) {
        auto values = in.dataset<double>(path);
        in.expect(values.size() == count * columns,
                  fmt::format("'{}' has {} values, {} are expected", path, values.size(), count * columns));
        return values;
    };
    const auto trained = in.dataset<std::uint8_t>("/samples/trained");
    const auto rows = in.dataset<std::uint64_t>("/samples/rows");
    const auto critical = in.dataset<std::uint64_t>("/samples/critical");
    in.expect(trained.size() == count && rows.size() == count && critical.size() == count,
              "'/samples' does not fit '/tolerances'");
    const auto folds_auc = read("/scores/auc_folds", folds);
    const auto grouped_auc = read("/scores/auc_grouped_folds", folds);
    const auto test_auc = read("/scores/auc_test", 1);
    const auto importance = read("/importance", features);
    const auto aa = read("/confusion/acceptable_acceptable", 1);
    const auto ac = read("/confusion/acceptable_critical", 1);
    const auto ca = read("/confusion/critical_acceptable", 1);
    const auto cc = read("/confusion/critical_critical", 1);
    const auto present = [](const std::vector<double>& values, std::size_t row, std::size_t columns) {
        std::vector<double> kept;
        for (std::size_t c = 0; c < columns; ++c)
        {
            if (!std::isnan(values[row * columns + c])) kept.push_back(values[row * columns + c]);
        }
        return kept;
    };
    std::vector<ToleranceRecord> records;
    for (std::size_t t = 0; t < count; ++t)
    {
        in.expect(trained[t] <= 1, fmt::format("'/samples/trained' has {}; 0 or 1 are possible", trained[t]));
        ToleranceRecord row;
        row.tolerance = tolerances[t];
        row.trained = trained[t] != 0;
        row.rows = rows[t];
        row.critical = critical[t];
        row.auc_folds = present(folds_auc, t, folds);
        row.auc_grouped_folds = present(grouped_auc, t, folds);
        row.auc_test = test_auc[t];
        row.confusion = {aa[t], ac[t], ca[t], cc[t]};
        row.importance = present(importance, t, features);
        records.push_back(std::move(row));
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
        layers.push_back({name, dims[0], static_cast<std::int32_t>(dims[1]), in.dataset<std::uint8_t>(path)});
    }
    return layers;
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
    forest.test_share = in.attribute<double>("/", "test_share");
    forest.tolerance = in.attribute<double>("/", "tolerance");
    forest.features = in.texts("/features");
    forest.tolerances = read_tolerances(in, static_cast<std::size_t>(forest.folds), forest.features.size());
    read_trees(in, forest.tolerances);
    forest.roc.false_positive_rate = in.dataset<double>("/roc/false_positive_rate");
    forest.roc.true_positive_rate = in.dataset<double>("/roc/true_positive_rate");
    forest.roc.threshold = in.dataset<double>("/roc/threshold");
    forest.criticality = read_criticality(in, forest.tolerance);
    check_forest_values(in, forest);
    return forest;
}

}  // namespace flipstorm
