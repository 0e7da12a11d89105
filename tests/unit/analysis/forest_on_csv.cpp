// The forest on rows of a CSV file, for comparison with other implementations.
//
//     forest_on_csv TRAIN.csv TEST.csv BAG TREES MAX_FEATURES SEED
//
// TRAIN.csv: features and a last column 0 or 1; TEST.csv: features. BAG: all, rf, undersample_bootstrap,
// stratified_bootstrap; MAX_FEATURES 0: the default. Prints the importances in one line, then the probability
// of each row of TEST.csv.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "analysis/forest.hpp"

namespace
{

/// Columns of a CSV file of numbers without a head.
std::vector<std::vector<float>> read_columns(const char* path)
{
    std::vector<std::vector<float>> columns;
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line))
    {
        std::istringstream cells(line);
        std::string cell;
        for (std::size_t c = 0; std::getline(cells, cell, ','); ++c)
        {
            if (c == columns.size()) columns.emplace_back();
            columns[c].push_back(std::stof(cell));
        }
    }
    return columns;
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc != 7)
    {
        fmt::print(stderr, "usage: forest_on_csv TRAIN.csv TEST.csv BAG TREES MAX_FEATURES SEED\n");
        return 64;
    }
    std::vector<std::vector<float>> train = read_columns(argv[1]);
    const std::vector<std::vector<float>> test = read_columns(argv[2]);
    const std::vector<std::uint8_t> labels(train.back().begin(), train.back().end());
    train.pop_back();
    std::vector<std::string> names;
    for (std::size_t f = 0; f < train.size(); ++f)
        names.push_back("f" + std::to_string(f));
    std::vector<std::uint32_t> rows(labels.size());
    std::iota(rows.begin(), rows.end(), 0U);

    const std::string bag = argv[3];
    flipstorm::ForestSettings settings;
    settings.bag = bag == "all" ? flipstorm::Bag::all : flipstorm::bag_of(bag == "rf" ? "rf" : "brf", bag);
    settings.trees = std::atoi(argv[4]);
    settings.max_features = static_cast<std::size_t>(std::atoi(argv[5]));
    settings.seed = static_cast<std::uint64_t>(std::atoll(argv[6]));
    settings.threads = 2;
    const flipstorm::FeatureTable table = flipstorm::make_feature_table(names, train);
    const flipstorm::Forest forest = flipstorm::Forest::train(table, labels, rows, settings);

    std::vector<float> values;
    for (std::size_t row = 0; row < test[0].size(); ++row)
    {
        for (const auto& column : test)
            values.push_back(column[row]);
    }
    fmt::print("{:.12g}\n", fmt::join(forest.importance(), ","));
    for (const double p : forest.predict(values, settings.threads))
        fmt::print("{:.12g}\n", p);
    return 0;
}
