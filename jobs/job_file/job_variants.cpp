#include "jobs/job_file/job_variants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/base/error.hpp"
#include "jobs/job_file/job_keys.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/job_file/job_suggest.hpp"

namespace flipstorm
{
namespace
{

/// What flipstorm writes into an out folder, or looks for there: a variant's folder lies beside it.
constexpr std::array kTaken = {
    "STOP",          "campaign.h5", "campaign.toml",    "comparison.h5", "figures",  "forest-journal",
    "forest.h5",     "journal",     "last_error.txt",   "lock",          "model.h5", "protected.h5",
    "protection.h5", "report.html", "train.checkpoint", "validation",    "verify"};

}  // namespace

void JobFile::set_out(const std::string& out)
{
    const std::string before = job.job.out + "/";
    const auto move_along = [&](std::string& file) {
        if (file.compare(0, before.size(), before) == 0) file = out + "/" + file.substr(before.size());
    };
    job.job.out = out;
    for (JobVariant& variant : variants)
    {
        variant.job.job.out = out + "/" + variant.name;
        move_along(variant.job.model.file);
        move_along(variant.job.forest.campaign);
        move_along(variant.job.campaign.exclude);
        move_along(variant.job.campaign.protected_memory);
        move_along(variant.job.forest.validate_with);
        move_along(variant.job.harden.forest);
    }
}

bool is_folder_name(const std::string& name)
{
    constexpr const char* kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return !name.empty() && name.size() <= 100 && name.front() != '.' && name.front() != '-' &&
           name.find_first_not_of(kAllowed) == std::string::npos;
}

std::string out_folder_problem(const std::string& out)
{
    if (out.empty()) return "is empty; name a folder, or write '.' for the current one";
    if (out.front() == '-')
        return fmt::format("begins with '-' like an option; write './{}' for a folder of that name", out);
    return {};
}

std::string variant_name_problem(const std::string& name)
{
    if (!is_folder_name(name))
    {
        return "names a folder: it must be 1 to 100 letters, digits, '_', '.' and '-', and not begin with "
               "'.' or '-'";
    }
    if (std::find(kTaken.begin(), kTaken.end(), name) != kTaken.end())
    {
        return "is a name that flipstorm itself uses in the out folder; take another";
    }
    return {};
}

const JobVariant& find_variant(const JobFile& file, const std::string& name)
{
    FS_CHECK(JobError, !file.variants.empty(), "--variant {}: the job has no variants ([[variant]])", name);
    std::vector<std::string> names;
    for (const JobVariant& variant : file.variants)
    {
        if (variant.name == name) return variant;
        names.push_back(variant.name);
    }
    const std::optional<std::string> guess = nearest(name, names);
    if (guess) throw JobError("--variant {}: unknown variant; did you mean '{}'?", name, *guess);
    throw JobError("--variant {}: unknown variant; the job has {}", name, list_text(names));
}

std::vector<std::string> variant_changes(const JobFile& file, const JobVariant& variant)
{
    Job common = file.job;
    Job own = variant.job;
    std::vector<std::string> changes;
    for (const KeySpec& spec : job_keys())
    {
        if (spec.name() == "job.name" || spec.name() == "job.out") continue;
        const std::string value = toml_text(spec.bind(own));
        if (value == toml_text(spec.bind(common))) continue;
        changes.push_back(fmt::format("{} = {}", spec.name(), value));
    }
    return changes;
}

std::string print_job_file(const JobFile& file)
{
    std::string text = print_job(file.job);
    for (const JobVariant& variant : file.variants)
    {
        text += fmt::format("\n[[variant]]\nname = {}\n", list_text({variant.name}));
        for (const std::string& change : variant_changes(file, variant))
            text += change + "\n";
    }
    return text;
}

}  // namespace flipstorm
