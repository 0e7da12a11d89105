// Stage `harden`: campaign.h5, forest.h5, model.h5 → protection.h5, protected.h5.

#include <algorithm>

#include "analysis/content_digest.hpp"
#include "analysis/memory_export.hpp"
#include "analysis/protected_memory.hpp"
#include "analysis/protection.hpp"
#include "analysis/result_table.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/failure_text.hpp"
#include "engine/base/log.hpp"
#include "engine/memory/codes/protection_scheme.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/stage_digest.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/stages.hpp"
#include "mpi/agreed_error.hpp"

namespace flipstorm
{
namespace
{

/// Upsets of 10^6 bits in 10^9 hours; 0: not known.
double fit_per_mbit(const EnvironmentTable& environment)
{
    if (environment.upsets_per_bit_day > 0) return environment.upsets_per_bit_day / 24 * 1e9 * 1e6;
    return environment.fit_per_mbit;
}

/// The options of a job; what is below 0 is no bound.
HardenOptions harden_options(const Job& job)
{
    const HardenTable& table = job.harden;
    HardenOptions options;
    options.options = table.options;
    options.ber = table.ber;
    options.adjacent_share = job.environment.multi_bit_share;
    const double fit = fit_per_mbit(job.environment);
    if (fit > 0)
    {
        options.ber = std::min(1.0, fit / 1e9 / 1e6 * job.environment.scrub_hours);
        log_info(
            "environment: a bit is upset with a probability of {:.3g} in {:g} hours, which counts instead "
            "of harden.ber",
            options.ber, job.environment.scrub_hours);
    }
    if (table.max_overhead >= 0) options.max_overhead = table.max_overhead;
    if (table.max_residual >= 0) options.max_residual = table.max_residual;
    options.max_change = table.max_change;
    return options;
}

/// Write protected.h5, if the scheme that was chosen has one; else none stays. \throws FileError
void write_memory(const std::filesystem::path& file, const ProtectionRecord& protection,
                  const std::vector<StoredTensor>& words)
{
    auto memory = words.empty() ? std::nullopt : protect_network(protection, words);
    if (!memory)
    {
        // That of another protection says nothing of this one.
        std::error_code ignored;
        std::filesystem::remove(file, ignored);
        return;
    }
    memory->provenance = protection.provenance;
    write_protected(file, *memory);
    log_info("{}: the memory under {}, word for word", file.string(), memory->scheme);
}

/// Whether the memory that a protection chose is not there, or of another one. \throws FileError
bool lacks_memory(const std::filesystem::path& protection_file, const std::filesystem::path& memory_file)
{
    const ProtectionRecord protection = read_protection(protection_file);
    if (protection.chosen < 0) return false;
    const std::string& scheme = protection.options.at(static_cast<std::size_t>(protection.chosen)).scheme;
    if (find_protection_scheme(scheme)->coverage == Coverage::critical) return false;
    if (!std::filesystem::exists(memory_file)) return true;
    try
    {
        return identify_protected(memory_file).protection_sha256 != protection.provenance.stage_sha256;
    }
    catch (const FileError& error)
    {
        log_warning("{}; it is made anew", error.what());
        return true;
    }
}

StageEnd harden_on_root(const Context& context, const StopRequest& stop)
{
    const Job& job = context.job;
    const std::filesystem::path file = context.file("protection.h5");
    need_input(context.forest_file(), "forest");
    need_input(context.campaign_file(), "inject");
    const ForestRecord forest = read_forest(context.forest_file());
    const CampaignRecord campaign = campaign_of(context);
    warn_if_outdated(context.campaign_file(), campaign);
    const Provenance& source = forest.provenance;
    FS_CHECK(JobError, job.harden.tolerance == forest.tolerance,
             "harden.tolerance is {}, but the criticality map of '{}' is for {}; set it so, or make the "
             "forest anew",
             job.harden.tolerance, context.forest_file().string(), forest.tolerance);
    require_same_campaign(context, campaign, forest);
    const bool knows_words = std::filesystem::exists(context.model_file());
    const std::string stage_sha256 =
        harden_digest(job, content_digest(forest), content_digest(campaign),
                      knows_words ? campaign.header.provenance.model_sha256 : std::string());
    const std::filesystem::path memory_file = context.file("protected.h5");
    if (output_is_current(context, file, stage_sha256, false) &&
        !(knows_words && lacks_memory(file, memory_file)))
        return StageEnd::complete;
    make_folder(context.out());
    stop_if_asked(stop);
    std::vector<StoredTensor> words;
    if (knows_words)
    {
        const StruckNetwork struck = struck_network(context, campaign.header);
        for (std::size_t l = 0; l < struck.layers.size(); ++l)
            words.push_back(struck.words(l));
    }
    else
    {
        log_warning(
            "no model in '{}': protection is planned without equal bits and without check bits in words",
            context.model_file().string());
    }
    stop_if_asked(stop);
    ProtectionRecord protection = naming(context.campaign_file(), [&] {
        return choose_protection(campaign, forest, harden_options(job), words);
    });
    protection.fit_per_mbit = fit_per_mbit(job.environment);
    protection.multi_bit_share = job.environment.multi_bit_share;
    protection.scrub_hours = protection.fit_per_mbit > 0 ? job.environment.scrub_hours : 0;
    protection.provenance =
        make_provenance(context, stage_sha256, source.model_sha256, source.dataset_sha256);
    stop_if_asked(stop);
    if (job.harden.max_residual >= 0)
    {
        const ProtectionOption& safest = protection.options.at(static_cast<std::size_t>(protection.chosen));
        if (safest.predicted_residual > job.harden.max_residual)
            log_warning(
                "harden.max_residual = {:.3g} cannot be had{}: {:.3g} of single upsets are left critical",
                job.harden.max_residual,
                job.harden.max_overhead >= 0
                    ? fmt::format(" for harden.max_overhead = {:.3g}", job.harden.max_overhead)
                    : std::string(),
                safest.predicted_residual);
    }
    write_memory(memory_file, protection, words);
    write_protection(file, protection);
    const ProtectionOption& chosen = protection.options.at(static_cast<std::size_t>(protection.chosen));
    log_info("{}: {} chosen, {:.2f} % memory overhead, {} % of single upsets left critical (predicted)",
             file.string(), chosen.scheme, chosen.total_overhead,
             format_percent(chosen.predicted_residual, 4));
    return StageEnd::complete;
}

}  // namespace

CampaignRecord campaign_of(const Context& context)
{
    const std::filesystem::path file = context.campaign_file();
    return naming_memory(fmt::format("reading '{}'", file.string()), [&] { return read_campaign(file); });
}

StruckNetwork struck_network(const Context& context, const CampaignHeader& campaign)
{
    StruckNetwork struck{load_network(context.model_file()), {}};
    FS_CHECK(DataError, digest(struck.network) == campaign.provenance.model_sha256,
             "'{}' was made with another model than '{}'; name its model in model.file",
             context.campaign_file().string(), context.model_file().string());
    std::vector<TensorKind> all;
    for (const std::string& name : tensor_kind_names())
        all.push_back(tensor_kind(name));
    const std::vector<InjectableLayer> layers = injectable_layers(struck.network, all);
    for (const std::string& name : campaign.layers.name)
    {
        const auto layer = std::find_if(layers.begin(), layers.end(),
                                        [&](const InjectableLayer& other) { return other.name == name; });
        FS_CHECK(DataError, layer != layers.end(), "'{}' has faults in '{}', which '{}' does not have",
                 context.campaign_file().string(), name, context.model_file().string());
        struck.layers.push_back(*layer);
    }
    return struck;
}

void need_memory(const Context& context, const char* stage)
{
    FS_CHECK(AgreedError, kind_of(context.job).in_memory(),
             fmt::format("'flipstorm {}' is for faults in weights, but campaign.target is \"{}\"", stage,
                         context.job.campaign.target),
             ExitCode::usage);
}

void require_same_campaign(const Context& context, const CampaignRecord& campaign, const ForestRecord& forest)
{
    FS_CHECK(DataError, forest.campaign_sha256 == campaign.header.provenance.stage_sha256,
             "'{}' was trained on another campaign than '{}'; name the right one in forest.campaign, or "
             "make the forest anew",
             context.forest_file().string(), context.campaign_file().string());
}

StageEnd run_harden(const Context& context)
{
    need_memory(context, "harden");
    const StageEnd end = on_root_until_stopped(
        context, {}, [&](const StopRequest& stop) { return harden_on_root(context, stop); });
    if (end != StageEnd::complete || context.export_to.empty()) return end;
    return on_root(context, [&] {
        const std::filesystem::path file = context.file("protected.h5");
        FS_CHECK(DataError, std::filesystem::exists(file),
                 "--export: no '{}', as the scheme that was chosen keeps parameters of one layer in "
                 "different ways, or the model is not known",
                 file.string());
        export_memory(read_protected(file), context.export_to);
        log_info("{}: the protected memory and its decoder", context.export_to);
        return StageEnd::complete;
    });
}

std::string agreed_stop_reason(const Context& context)
{
    // A signal may have reached one rank only.
    const auto reason = context.stop->check();
    for (const std::string& text : context.world.all_gather(reason ? reason->text : ""))
    {
        if (!text.empty()) return text;
    }
    return "";
}

bool stop_was_asked_for(const Context& context)
{
    const std::string reason = agreed_stop_reason(context);
    if (!reason.empty() && context.world.is_root())
        log_warning("stopped by {}; run the same command to go on", reason);
    return !reason.empty();
}

}  // namespace flipstorm
