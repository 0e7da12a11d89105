// Stages `forest` and `harden`: campaign.h5 → forest.h5 → protection.h5.

#include <algorithm>

#include "analysis/content_digest.hpp"
#include "analysis/fault_population.hpp"
#include "analysis/protection.hpp"
#include "analysis/train_forest.hpp"
#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/failure_text.hpp"
#include "engine/base/log.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/timing.hpp"
#include "engine/memory/word_fault.hpp"
#include "jobs/campaign/kinds/kind.hpp"
#include "jobs/campaign/outdated_outcomes.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/stage_digest.hpp"
#include "jobs/resolve/stoppable.hpp"
#include "jobs/stages/forest_journal.hpp"
#include "jobs/stages/stages.hpp"
#include "mpi/agreed_error.hpp"

namespace flipstorm
{
namespace
{

CampaignRecord campaign_of(const Context& context)
{
    const std::filesystem::path file = context.campaign_file();
    return naming_memory(fmt::format("reading '{}'", file.string()), [&] { return read_campaign(file); });
}

ForestOptions forest_options(const Context& context, const StopRequest& stop)
{
    const Job& job = context.job;
    ForestOptions options;
    options.kind = job.forest.kind;
    options.sampling = job.forest.sampling;
    options.trees = static_cast<std::int32_t>(job.forest.trees);
    options.folds = static_cast<std::int32_t>(job.forest.folds);
    options.test_share = job.forest.test_share;
    options.tolerances = job.forest.tolerances;
    options.tolerance = job.harden.tolerance;
    options.seed = job.job.seed;
    options.threads = context.threads;
    options.stop = stop;
    return options;
}

StageEnd forest_on_root(const Context& context, const StopRequest& stop)
{
    const Job& job = context.job;
    const std::filesystem::path file = context.file("forest.h5");
    need_input(context.campaign_file(), "inject");
    need_input(context.model_file(), "train");
    const CampaignRecord campaign = campaign_of(context);
    warn_if_outdated(context.campaign_file(), campaign);
    const Provenance& source = campaign.header.provenance;
    const std::string stage_sha256 = forest_digest(job, content_digest(campaign), source.model_sha256);
    const std::filesystem::path journal_folder = context.file(kForestJournal);
    if (output_is_current(context, file, stage_sha256, false))
    {
        remove_forest_journal(journal_folder);
        return StageEnd::complete;
    }
    make_folder(context.out());
    stop_if_asked(stop);

    const Network network = load_network(context.model_file());
    FS_CHECK(DataError, digest(network) == source.model_sha256,
             "'{}' was made with another model than '{}'; name its model in model.file",
             context.campaign_file().string(), context.model_file().string());
    std::vector<LayerWeights> weights;
    std::vector<TensorKind> all;
    for (const std::string& name : tensor_kind_names())
        all.push_back(tensor_kind(name));
    for (const InjectableLayer& layer : injectable_layers(network, all))
    {
        const std::vector<std::string>& struck = campaign.header.layers.name;
        if (std::find(struck.begin(), struck.end(), layer.name) == struck.end()) continue;
        weights.push_back({layer.name, struck_tensor(network, layer).values()});
    }
    const ForestOptions options = forest_options(context, stop);
    if (context.fresh) remove_forest_journal(journal_folder);
    // The stage digest leaves out the seed, which that of the campaign mostly brings along.
    ForestJournal journal(journal_folder,
                          sha256_hex(fmt::format("{}\nseed = {}\n", stage_sha256, options.seed)),
                          job.campaign.journal_seconds, steady_seconds);
    const Stopwatch watch;
    ForestRecord forest = naming(context.campaign_file(), [&] {
        return naming_memory(fmt::format("training forests of {} trees (forest.trees)", options.trees),
                             [&] { return analyse_campaign(campaign, weights, options, &journal); });
    });
    if (journal.found() > 0)
        log_info("forest: {} fits were done already, by a run that was stopped", journal.found());
    forest.provenance = make_provenance(context, stage_sha256, source.model_sha256, source.dataset_sha256);
    stop_if_asked(stop);
    journal.flush_if_slow(watch.seconds());
    write_forest(file, forest);
    journal.discard();
    const auto trained = std::count_if(forest.tolerances.begin(), forest.tolerances.end(),
                                       [](const ToleranceRecord& row) { return row.trained; });
    log_info("{}: {} of {} tolerances trained, every bit of {} layers predicted, {:.1f} s", file.string(),
             trained, forest.tolerances.size(), forest.criticality.size(), watch.seconds());
    return StageEnd::complete;
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
    const std::string stage_sha256 = harden_digest(job, content_digest(forest), content_digest(campaign));
    if (output_is_current(context, file, stage_sha256, false)) return StageEnd::complete;
    make_folder(context.out());
    stop_if_asked(stop);
    HardenOptions options;
    options.options = job.harden.options;
    options.ber = job.harden.ber;
    ProtectionRecord protection =
        naming(context.campaign_file(), [&] { return choose_protection(campaign, forest, options); });
    protection.provenance =
        make_provenance(context, stage_sha256, source.model_sha256, source.dataset_sha256);
    stop_if_asked(stop);
    write_protection(file, protection);
    const ProtectionOption& chosen = protection.options.at(static_cast<std::size_t>(protection.chosen));
    log_info("{}: {} chosen, {:.2f} % memory overhead", file.string(), chosen.scheme, chosen.total_overhead);
    return StageEnd::complete;
}

}  // namespace

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
             "'{}' was trained on another campaign than '{}'; name the right one in forest.campaign, or make "
             "the forest anew",
             context.forest_file().string(), context.campaign_file().string());
}

StageEnd run_forest(const Context& context)
{
    need_memory(context, "forest");
    StopConsequence consequence;
    consequence.text = fmt::format("finished fits are kept; run the same command{} to go on",
                                   context.fresh ? " without --fresh" : "");
    return on_root_until_stopped(context, consequence,
                                 [&](const StopRequest& stop) { return forest_on_root(context, stop); });
}

StageEnd run_harden(const Context& context)
{
    need_memory(context, "harden");
    return on_root_until_stopped(context, {},
                                 [&](const StopRequest& stop) { return harden_on_root(context, stop); });
}

bool stop_was_asked_for(const Context& context)
{
    // A signal may have reached one rank only.
    const auto reason = context.stop->check();
    for (const std::string& text : context.world.all_gather(reason ? reason->text : ""))
    {
        if (text.empty()) continue;
        if (context.world.is_root()) log_warning("stopped by {}; run the same command to go on", text);
        return true;
    }
    return false;
}

}  // namespace flipstorm
