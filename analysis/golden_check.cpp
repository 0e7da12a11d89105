#include "analysis/golden_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>

#include "analysis/result_table.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

constexpr const char* kUsualCauses =
    "Usual causes: data.mean and data.std are not those of the training; the labels have another order, or "
    "begin at another number (data.label_offset); the images are of another data set, or prepared "
    "otherwise; the network is hardly trained";

}  // namespace

ChanceTest test_against_chance(std::uint64_t correct, std::uint64_t images, std::uint64_t classes)
{
    FS_REQUIRE(correct <= images, "{} of {} images right", correct, images);
    FS_REQUIRE(classes > 0, "a guess among no classes");
    ChanceTest test;
    if (images == 0) return test;
    const boost::math::binomial guesses(static_cast<double>(images), 1 / static_cast<double>(classes));
    const auto right = static_cast<double>(correct);
    if (correct > 0) test.at_least = boost::math::cdf(boost::math::complement(guesses, right - 1));
    test.at_most = boost::math::cdf(guesses, right);
    return test;
}

std::string chance_warning(std::uint64_t correct, std::uint64_t images, std::uint64_t classes)
{
    if (images == 0) return {};
    const ChanceTest test = test_against_chance(correct, images, classes);
    if (test.at_least <= kChanceLevel) return {};
    const double accuracy = static_cast<double>(correct) / static_cast<double>(images);
    const bool worse = test.at_most <= kChanceLevel;
    return fmt::format(
        "the fault-free network gets {} of {} test images right ({} %), {} a guess among {} classes ({} %; "
        "a guess is right {} with probability {:.2g}): what faults do to such a network means nothing. {}",
        format_count(correct), format_count(images), format_percent(accuracy),
        worse ? "worse than" : "no better than", format_count(classes),
        format_percent(1 / static_cast<double>(classes)), worse ? "so seldom" : "as often",
        worse ? test.at_most : test.at_least, kUsualCauses);
}

std::string tie_warning(const std::vector<float>& margins)
{
    const auto tied = static_cast<std::uint64_t>(
        std::count_if(margins.begin(), margins.end(), [](float m) { return m == 0; }));
    if (tied == 0) return {};
    return fmt::format(
        "on {} of {} test images the fault-free network has no single answer: its two largest logits are "
        "equal (margin 0). Which of them a fault leaves on top is up to rounding, so that such images count "
        "as changed or not as the order of a sum has it, and evaluation modes and machines may differ on "
        "them",
        format_count(tied), format_count(margins.size()));
}

std::vector<std::string> golden_warnings(const CampaignHeader& header)
{
    std::int32_t largest = 0;
    for (const std::vector<std::int32_t>* column : {&header.golden.label, &header.golden.top1})
    {
        if (!column->empty()) largest = std::max(largest, *std::max_element(column->begin(), column->end()));
    }
    std::vector<std::string> warnings;
    for (const std::string& text :
         {chance_warning(std::min(header.golden_correct, header.images), header.images,
                         std::max<std::uint64_t>(2, static_cast<std::uint64_t>(largest) + 1)),
          tie_warning(header.golden.margin)})
    {
        if (!text.empty()) warnings.push_back(text);
    }
    return warnings;
}

}  // namespace flipstorm
