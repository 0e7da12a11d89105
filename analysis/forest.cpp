#include "analysis/forest.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/error.hpp"
#include "engine/base/parallel.hpp"

namespace flipstorm
{
namespace
{

template<std::size_t Words>
std::vector<Tree> grow_trees(const FeatureTable& table, const std::vector<std::uint8_t>& labels,
                             const std::vector<std::uint32_t>& rows, std::size_t max_features,
                             const ForestSettings& settings)
{
    const TrainingRows<Words> training(table, labels, rows);
    const bool balanced =
        settings.bag == Bag::undersample_bootstrap || settings.bag == Bag::stratified_bootstrap;
    FS_CHECK(DataError, !balanced || (training.count(0) > 0 && training.count(1) > 0),
             "a balanced forest needs both classes; all {} rows are {}", rows.size(),
             training.count(0) == 0 ? "critical" : "acceptable");
    std::vector<Tree> trees(static_cast<std::size_t>(settings.trees));
    parallel_for(settings.trees, settings.threads, [&](std::int64_t t) {
        stop_if_asked(settings.stop);
        const std::uint64_t stream = (std::uint64_t{settings.stream} << 32U) + static_cast<std::uint64_t>(t);
        trees[static_cast<std::size_t>(t)] = grow_tree(
            training.draw(settings.bag, RandomStream(settings.seed, RandomPurpose::bootstrap, stream)),
            table.layout, table.bins, max_features,
            RandomStream(settings.seed, RandomPurpose::features, stream), settings.stop);
    });
    return trees;
}

std::vector<double> mean_importance(const std::vector<Tree>& trees, std::size_t features)
{
    std::vector<double> mean(features, 0.0);
    double sum = 0;
    for (const Tree& tree : trees)
    {
        for (std::size_t f = 0; f < features; ++f)
        {
            mean[f] += tree.importance[f];
            sum += tree.importance[f];
        }
    }
    for (double& value : mean)
        value = sum > 0 ? value / sum : 0.0;
    return mean;
}

/// Standard error of the mean of the trees' importances.
std::vector<double> importance_errors(const std::vector<Tree>& trees, std::size_t features)
{
    std::vector<double> errors(features, 0.0);
    const auto count = static_cast<double>(trees.size());
    for (std::size_t f = 0; f < features && trees.size() > 1; ++f)
    {
        double sum = 0;
        double squares = 0;
        for (const Tree& tree : trees)
        {
            sum += tree.importance[f];
            squares += tree.importance[f] * tree.importance[f];
        }
        const double variance = (squares - sum * sum / count) / (count - 1);
        errors[f] = std::sqrt(std::max(0.0, variance) / count);
    }
    return errors;
}

/// Sum the votes of all trees for `count` rows; `fill(i, row)` writes the features of row i.
template<class Fill>
std::vector<double> vote_on_rows(const Forest& forest, std::size_t count, int threads,
                                 const StopRequest& stop, const Fill& fill)
{
    constexpr std::size_t kBlock = 1024;
    std::vector<double> result(count);
    const auto blocks = static_cast<std::int64_t>((count + kBlock - 1) / kBlock);
    parallel_for(blocks, threads, [&](std::int64_t block) {
        stop_if_asked(stop);
        const std::size_t begin = static_cast<std::size_t>(block) * kBlock;
        const std::size_t rows = std::min(kBlock, count - begin);
        std::vector<std::array<float, kMaxFeatures>> values(rows);
        for (std::size_t i = 0; i < rows; ++i)
            fill(begin + i, values[i].data());
        std::vector<std::int64_t> votes(rows, 0);
        for (std::size_t t = 0; t < forest.trees(); ++t)
        {
            const TreeNode* const root = forest.root(t);
            for (std::size_t i = 0; i < rows; ++i)
            {
                const TreeNode* node = root;
                while (!node->is_leaf())
                {
                    const bool left = values[i][static_cast<std::size_t>(node->feature)] <= node->threshold;
                    node = root + (left ? node->left : node->right);
                }
                votes[i] += vote(*node);
            }
        }
        for (std::size_t i = 0; i < rows; ++i)
            result[begin + i] = vote_share(votes[i], forest.trees());
    });
    return result;
}

}  // namespace

Bag bag_of(const std::string& kind, const std::string& sampling)
{
    if (kind == "rf") return Bag::bootstrap;
    FS_CHECK(JobError, kind == "brf", "forest.kind = \"{}\" is unknown; \"brf\" or \"rf\" would be right",
             kind);
    if (sampling == "undersample_bootstrap") return Bag::undersample_bootstrap;
    if (sampling == "stratified_bootstrap") return Bag::stratified_bootstrap;
    throw JobError(
        "forest.sampling = \"{}\" is unknown; \"undersample_bootstrap\" or \"stratified_bootstrap\" would "
        "be right",
        sampling);
}

Forest Forest::train(const FeatureTable& table, const std::vector<std::uint8_t>& labels,
                     const std::vector<std::uint32_t>& rows, const ForestSettings& settings)
{
    FS_CHECK(JobError, settings.trees >= 1, "a forest of {} trees; at least 1 is needed", settings.trees);
    FS_CHECK(DataError, !rows.empty(), "a forest needs rows to learn from");
    FS_REQUIRE(labels.size() == table.rows(), "{} labels for {} rows", labels.size(), table.rows());
    const auto root = static_cast<std::size_t>(std::sqrt(static_cast<double>(table.features())));
    const std::size_t max_features =
        settings.max_features > 0 ? settings.max_features : std::max<std::size_t>(1, root);
    // 16 features of 16 bits make at most 4 words.
    const auto grow = table.layout.words() == 1   ? grow_trees<1>
                      : table.layout.words() == 2 ? grow_trees<2>
                                                  : grow_trees<4>;
    const std::vector<Tree> trees = grow(table, labels, rows, max_features, settings);

    Forest forest;
    forest.features_ = table.features();
    for (const Tree& tree : trees)
    {
        forest.nodes_.insert(forest.nodes_.end(), tree.nodes.begin(), tree.nodes.end());
        forest.first_node_.push_back(forest.nodes_.size());
    }
    forest.importance_ = mean_importance(trees, table.features());
    forest.importance_error_ = importance_errors(trees, table.features());
    return forest;
}

Forest Forest::from_record(const TreesRecord& record, std::size_t features)
{
    const std::size_t count = record.feature.size();
    FS_CHECK(DataError,
             record.threshold.size() == count && record.left.size() == count &&
                 record.right.size() == count && record.probability.size() == count,
             "forest: the columns of its trees are not equally long");
    FS_CHECK(
        DataError,
        record.first_node.size() >= 2 && record.first_node.front() == 0 && record.first_node.back() == count,
        "forest: first_node does not run from 0 to the number of nodes, {}", count);
    FS_CHECK(DataError, features > 0 && features <= kMaxFeatures, "forest: {} features; 1 to {} are possible",
             features, kMaxFeatures);
    Forest forest;
    forest.features_ = features;
    forest.first_node_ = record.first_node;
    forest.nodes_.resize(count);
    for (std::size_t t = 0; t + 1 < record.first_node.size(); ++t)
    {
        FS_CHECK(DataError,
                 record.first_node[t] < record.first_node[t + 1] && record.first_node[t + 1] <= count,
                 "forest: tree {} has no nodes", t);
        const auto nodes = static_cast<std::int64_t>(record.first_node[t + 1] - record.first_node[t]);
        for (std::int64_t i = 0; i < nodes; ++i)
        {
            const auto k = static_cast<std::size_t>(record.first_node[t]) + static_cast<std::size_t>(i);
            const TreeNode node{record.feature[k], record.threshold[k], record.left[k], record.right[k],
                                record.probability[k]};
            const bool leaf = node.feature == -1 && node.left == -1 && node.right == -1;
            const bool inner = node.feature >= 0 && node.feature < static_cast<std::int32_t>(features) &&
                               node.left > i && node.left < nodes && node.right > i && node.right < nodes;
            FS_CHECK(DataError, leaf || inner, "forest: node {} of tree {} is neither a leaf nor a split", i,
                     t);
            FS_CHECK(DataError, node.probability >= 0 && node.probability <= 1,
                     "forest: node {} of tree {} has the probability {}", i, t, node.probability);
            forest.nodes_[k] = node;
        }
    }
    return forest;
}

TreesRecord Forest::record() const
{
    TreesRecord record;
    record.first_node = first_node_;
    for (const TreeNode& node : nodes_)
    {
        record.feature.push_back(node.feature);
        record.threshold.push_back(node.threshold);
        record.left.push_back(node.left);
        record.right.push_back(node.right);
        record.probability.push_back(node.probability);
    }
    return record;
}

std::vector<double> Forest::predict(const FeatureTable& table, const std::vector<std::uint32_t>& cells,
                                    int threads, const StopRequest& stop) const
{
    FS_REQUIRE(table.features() == features_, "a forest of {} features asked about {}", features_,
               table.features());
    return vote_on_rows(*this, cells.size(), threads, stop, [&](std::size_t i, float* row) {
        for (std::size_t f = 0; f < features_; ++f)
            row[f] = table.value(cells[i], f);
    });
}

std::vector<double> Forest::predict(const std::vector<float>& values, int threads,
                                    const StopRequest& stop) const
{
    FS_CHECK(DataError, features_ > 0 && values.size() % features_ == 0,
             "{} values do not make rows of {} features", values.size(), features_);
    return vote_on_rows(*this, values.size() / features_, threads, stop, [&](std::size_t i, float* row) {
        std::copy_n(values.data() + i * features_, features_, row);
    });
}

}  // namespace flipstorm
