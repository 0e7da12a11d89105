#include "engine/faults/error_value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::optional<double> number_of(std::string_view text)
{
    const std::string_view word = trimmed(text);
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) return {};
    return value;
}

/// A double as float; infinite, not undefined, where it is too large.
float narrowed(double value)
{
    constexpr double kLargest = std::numeric_limits<float>::max();
    if (value > kLargest) return std::numeric_limits<float>::infinity();
    if (value < -kLargest) return -std::numeric_limits<float>::infinity();
    return static_cast<float>(value);
}

}  // namespace

const std::vector<PowerLaw>& published_power_laws()
{
    static const std::vector<PowerLaw> laws = {{"fadd_small", 1.0728769e-07, 1.0868737},
                                               {"fadd_common", 2.0230031, 1.0568325},
                                               {"fadd_big", 8.1847715e-08, 1.082071},
                                               {"fmul_small", 136027.72, 27.1194},
                                               {"fmul_common", 3.0, 1.0678725},
                                               {"fmul_big", 0.03517608, 1.189603},
                                               {"ffma_small", 3.4028237e+38, 443107.0},
                                               {"ffma_common", 2.0, 1.4543958},
                                               {"ffma_big", 0.010238367, 1.1181921},
                                               {"iadd_small", 1.396856e-09, 1.0846596},
                                               {"iadd_common", 2.6865074e-10, 1.0769672},
                                               {"iadd_big", 1.3970158e-09, 1.085144},
                                               {"imul_small", 0.66699225, 23.798765},
                                               {"imul_common", 0.66699225, 23.798765},
                                               {"imul_big", 0.66699225, 23.922783},
                                               {"imad_small", 0.75000001, 121435080.0},
                                               {"imad_common", 0.61141304, 3.4316596},
                                               {"imad_big", 0.75000001, 121435080.0},
                                               {"mufu_small", 0.0, 1.08212},
                                               {"mufu_common", 7.0958774e-08, 1.082116},
                                               {"mufu_big", 0.0, 1.08212}};
    return laws;
}

PowerLaw power_law(std::string_view name)
{
    std::string known;
    for (const PowerLaw& law : published_power_laws())
    {
        if (law.name == name) return law;
        known += (known.empty() ? "" : ", ") + law.name;
    }
    throw JobError("transient.power_law: '{}' is not known; it is one of: {}", name, known);
}

double quantile(const PowerLaw& law, double below)
{
    if (law.x_min == 0) return 0;
    return law.x_min * std::pow(1 - below, -1 / (law.alpha - 1));
}

ErrorTable read_error_table(const std::filesystem::path& file)
{
    ErrorTable table;
    std::istringstream lines(read_file(file));
    std::size_t number = 0;
    double sum = 0;
    for (std::string line; std::getline(lines, line);)
    {
        ++number;
        const std::string_view text = trimmed(line);
        if (text.empty() || text.front() == '#') continue;
        const auto comma = text.find(',');
        const std::optional<double> value = number_of(text.substr(0, comma));
        if (!value && number == 1) continue;  // the names of the columns
        const std::optional<double> weight =
            comma == std::string_view::npos ? std::optional<double>(1) : number_of(text.substr(comma + 1));
        FS_CHECK(DataError, value && weight && *weight > 0,
                 "'{}', line {}: '{}' is no error value; a line is VALUE or VALUE,WEIGHT, both finite "
                 "numbers, the weight above 0",
                 file.string(), number, text);
        sum += *weight;
        table.value.push_back(narrowed(*value));
        table.cumulative.push_back(sum);
    }
    FS_CHECK(DataError, !table.value.empty() && std::isfinite(sum),
             "'{}' holds no usable error values; a line is VALUE or VALUE,WEIGHT", file.string());
    return table;
}

float draw_error(const ErrorValue& value, int word_bits, RandomStream& random)
{
    const double u = random.uniform();
    if (const auto* uniform = std::get_if<UniformError>(&value)) return narrowed(uniform->magnitude * u);
    if (const auto* law = std::get_if<PowerLaw>(&value)) return narrowed(quantile(*law, u));
    if (std::holds_alternative<BitError>(value)) return static_cast<float>(std::floor(u * word_bits));
    const auto& table = std::get<ErrorTable>(value);
    const auto found =
        std::upper_bound(table.cumulative.begin(), table.cumulative.end(), u * table.cumulative.back());
    const auto last = table.value.size() - 1;
    return table.value[std::min(last, static_cast<std::size_t>(found - table.cumulative.begin()))];
}

}  // namespace flipstorm
