#include "jobs/job_file/job_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <iterator>
#include <optional>
#include <type_traits>
#include <variant>

#include "engine/memory/number_format.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/job_suggest.hpp"
#include "jobs/job_file/job_variants.hpp"
#include "jobs/job_file/transient_rules.hpp"

namespace flipstorm
{
namespace
{

/// t such that a standard normal variable lies in [-t, t] with probability `confidence`.
double two_sided_quantile(double confidence)
{
    const boost::math::normal standard;
    return boost::math::quantile(boost::math::complement(standard, (1 - confidence) / 2));
}

/// Adds what is wrong with one number of a key.
void check_number(const KeySpec& spec, const std::string& shown, double value,
                  std::vector<std::string>& problems)
{
    if (!std::isfinite(value))
    {
        problems.push_back(fmt::format("{} = {} is not a finite number", spec.name(), shown));
    }
    else if (!spec.limits.allow(value))
    {
        problems.push_back(
            fmt::format("{} = {} is out of range; it must be {}", spec.name(), shown, spec.limits.text()));
    }
}

/// Adds what is wrong with one string of a key. \param name  what it is the value of
void check_choice(const KeySpec& spec, const std::string& name, const std::string& value,
                  std::vector<std::string>& problems)
{
    const std::vector<std::string>& known = spec.choices;
    if (known.empty() || std::find(known.begin(), known.end(), value) != known.end()) return;
    const std::optional<std::string> guess = nearest(value, known);
    problems.push_back(fmt::format("{} = {} is not known; it can be {}{}", name, list_text({value}),
                                   list_text(known),
                                   guess ? fmt::format("; did you mean {}?", list_text({*guess})) : ""));
}

/// Whether a layer may have a format with scales of that kind.
bool has_scaling(const ModelTable& model, Scaling scaling)
{
    std::vector<std::string> names{model.format};
    for (const auto& [layer, format] : model.formats)
        names.push_back(format);
    // A name that is none is refused with the other values of keys.
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        const FormatTraits* const format = find_format(name);
        return format == nullptr || format->scaling == scaling;
    });
}

std::vector<RuleProblem> format_problems(const ModelTable& model)
{
    std::vector<RuleProblem> problems;
    if (model.integer_bits != 1 && !has_scaling(model, Scaling::power_of_two))
    {
        problems.push_back({{"model.integer_bits", "model.format", "model.formats"},
                            fmt::format("model.integer_bits = {} is for fixed point, \"fxp32\", \"fxp16\" or "
                                        "\"fxp8\"; model.format is {}",
                                        model.integer_bits, list_text({model.format}))});
    }
    if (model.scale != "channel" && !has_scaling(model, Scaling::any))
    {
        problems.push_back({{"model.scale", "model.format", "model.formats"},
                            fmt::format("model.scale = {} is for \"int8\"; model.format is {}",
                                        list_text({model.scale}), list_text({model.format}))});
    }
    return problems;
}

}  // namespace

std::vector<std::string> value_problems(const KeySpec& spec, Job job)
{
    std::vector<std::string> problems;
    std::visit(
        [&](auto* value) {
            using Value = std::decay_t<decltype(*value)>;
            if constexpr (std::is_same_v<Value, std::string>)
            {
                check_choice(spec, spec.name(), *value, problems);
            }
            else if constexpr (std::is_same_v<Value, StringTable>)
            {
                for (const auto& [name, entry] : *value)
                {
                    if (name.empty())
                        problems.push_back(fmt::format("{} has an entry without a name", spec.name()));
                    check_choice(spec, spec.name() + "." + name, entry, problems);
                }
            }
            else if constexpr (std::is_arithmetic_v<Value>)
            {
                check_number(spec, fmt::format("{}", *value), static_cast<double>(*value), problems);
            }
            else
            {
                if (value->empty() && !spec.may_be_empty)
                {
                    problems.push_back(
                        fmt::format("{} is an empty list; it needs at least one entry", spec.name()));
                }
                for (auto entry = value->begin(); entry != value->end(); ++entry)
                {
                    if constexpr (std::is_same_v<Value, std::vector<std::string>>)
                    {
                        check_choice(spec, spec.name(), *entry, problems);
                        if (std::find(value->begin(), entry, *entry) != entry)
                        {
                            problems.push_back(
                                fmt::format("{} names {} twice", spec.name(), list_text({*entry})));
                        }
                    }
                    else
                    {
                        check_number(spec, fmt::format("{}", *entry), *entry, problems);
                        if (spec.ascending && entry != value->begin() && *entry <= *std::prev(entry))
                        {
                            problems.push_back(fmt::format("{} must increase, but {} comes after {}",
                                                           spec.name(), *entry, *std::prev(entry)));
                        }
                    }
                }
            }
        },
        spec.bind(job));
    return problems;
}

std::vector<RuleProblem> rule_problems(const Job& job)
{
    std::vector<RuleProblem> problems = format_problems(job.model);
    if (!is_folder_name(job.job.name))
    {
        problems.push_back(
            {{"job.name"},
             fmt::format("job.name = {} names a folder: it must be 1 to 100 letters, digits, '_', '.' "
                         "and '-', and not begin with '.' or '-'",
                         list_text({job.job.name}))});
    }
    const std::string out_problem = out_folder_problem(job.job.out);
    if (!out_problem.empty())
        problems.push_back(
            {{"job.out"}, fmt::format("job.out = {} {}", list_text({job.job.out}), out_problem)});
    const bool takes_results = !job.forest.campaign.empty() || !job.harden.forest.empty();
    if (job.data.kind != "synthetic" && job.data.path.empty() && !takes_results)
    {
        problems.push_back(
            {{"data.path", "data.kind"},
             fmt::format("data.path is missing; data.kind = {} needs the folder of the data set",
                         list_text({job.data.kind}))});
    }
    if (job.data.labels != "fine" && job.data.kind != "cifar100")
    {
        problems.push_back({{"data.labels", "data.kind"},
                            fmt::format("data.labels = {} is for data.kind = \"cifar100\"; {} has labels of "
                                        "one kind only",
                                        list_text({job.data.labels}), list_text({job.data.kind}))});
    }
    if (job.data.mean.size() != job.data.std.size())
    {
        problems.push_back(
            {{"data.std", "data.mean"},
             fmt::format("data.mean has {} and data.std {} entries; give one per channel for both",
                         job.data.mean.size(), job.data.std.size())});
    }
    const double largest = job.campaign.tolerances.back();
    if (job.forest.campaign.empty() && job.forest.tolerances.back() > largest)
    {
        problems.push_back(
            {{"forest.tolerances", "campaign.tolerances"},
             fmt::format("forest.tolerances goes up to {}, but the campaign stops judging a fault beyond "
                         "the last of campaign.tolerances, {}",
                         job.forest.tolerances.back(), largest)});
    }
    const CampaignTable& campaign = job.campaign;
    if (campaign.exhaustive && (campaign.scheme == "iterative" || campaign.scheme == "guided"))
    {
        problems.push_back(
            {{"campaign.exhaustive", "campaign.scheme"},
             fmt::format("campaign.exhaustive injects every fault, but campaign.scheme = \"{}\" {}; take "
                         "another scheme",
                         campaign.scheme,
                         campaign.scheme == "guided" ? "chooses some" : "stops at the error margin")});
    }
    if (job.environment.fit_per_mbit > 0 && job.environment.upsets_per_bit_day > 0)
    {
        problems.push_back(
            {{"environment.upsets_per_bit_day", "environment.fit_per_mbit"},
             "environment.fit_per_mbit and environment.upsets_per_bit_day say the same in two units; give "
             "one"});
    }
    if (job.environment.scrub_hours != EnvironmentTable().scrub_hours && job.environment.fit_per_mbit == 0 &&
        job.environment.upsets_per_bit_day == 0)
    {
        problems.push_back(
            {{"environment.scrub_hours", "environment.fit_per_mbit", "environment.upsets_per_bit_day"},
             "environment.scrub_hours is the time in which upsets of a rate meet; give the rate, "
             "environment.fit_per_mbit or environment.upsets_per_bit_day, too"});
    }
    const bool chooses = campaign.scheme == "guided" || campaign.scheme == "iterative" ||
                         campaign.exhaustive || campaign.limit > 0 || !campaign.exclude.empty() ||
                         !campaign.layers.empty() || campaign.fault_model != "bit_flip";
    if (!campaign.fault_list.empty() && (campaign.target != "weights" || chooses))
    {
        problems.push_back(
            {{"campaign.fault_list", "campaign.target"},
             "campaign.fault_list says which bits of weights flip: it goes with campaign.target = "
             "\"weights\", and without limit, exhaustive, exclude, layers, fault_model and the schemes "
             "that choose faults"});
    }
    const bool strikes_memory = campaign.target == "protected";
    if (strikes_memory != !campaign.protected_memory.empty())
    {
        problems.push_back({{"campaign.protected", "campaign.target"},
                            strikes_memory ? "campaign.target = \"protected\" needs campaign.protected, a "
                                             "protected.h5; 'flipstorm verify' takes that of the job"
                                           : "campaign.protected is for campaign.target = \"protected\""});
    }
    if (strikes_memory && (campaign.scheme == "data_aware" || campaign.scheme == "guided" ||
                           campaign.scheme == "iterative" || !campaign.exclude.empty()))
    {
        problems.push_back(
            {{"campaign.scheme", "campaign.target"},
             fmt::format(
                 "campaign.target = \"protected\" is sampled network_wise, layer_wise or data_unaware, "
                 "without campaign.exclude; campaign.scheme is \"{}\"",
                 campaign.scheme)});
    }
    if (job.campaign.backend == "native" && job.device.kind == "cuda")
    {
        problems.push_back({{"campaign.backend", "device.kind"},
                            "campaign.backend = \"native\" computes on the CPU, but device.kind is "
                            "\"cuda\"; use \"libtorch\" or \"auto\""});
    }
    const std::vector<RuleProblem> of_transients = transient_problems(job);
    problems.insert(problems.end(), of_transients.begin(), of_transients.end());
    const auto& trained = job.forest.tolerances;
    if (job.harden.forest.empty() &&
        std::find(trained.begin(), trained.end(), job.harden.tolerance) == trained.end())
    {
        const auto closest = std::min_element(trained.begin(), trained.end(), [&job](double a, double b) {
            return std::abs(a - job.harden.tolerance) < std::abs(b - job.harden.tolerance);
        });
        problems.push_back(
            {{"harden.tolerance", "forest.tolerances", "campaign.tolerances"},
             fmt::format("harden.tolerance = {} is none of forest.tolerances; the nearest is {}",
                         job.harden.tolerance, *closest)});
    }
    return problems;
}

void resolve_job(Job& job)
{
    if (job.job.out.empty()) job.job.out = "out/" + job.job.name;
    if (job.model.shortcut.empty())
        job.model.shortcut = job.model.arch == "resnet18" ? "projection" : "option-a";
    if (job.campaign.tolerances.empty())
    {
        for (int k = 1; k <= 20; ++k)
            job.campaign.tolerances.push_back(k / 200.0);
    }
    if (job.campaign.t == 0) job.campaign.t = two_sided_quantile(job.campaign.confidence);
    if (job.campaign.memory_budget == 0) job.campaign.memory_budget = 2048;
    if (job.forest.tolerances.empty()) job.forest.tolerances = job.campaign.tolerances;
    if (job.harden.tolerance == 0) job.harden.tolerance = job.forest.tolerances.front();
    resolve_transient(job);
}

}  // namespace flipstorm
