#pragma once
// The stages of a job. Each is a function from files to files that skips itself when its output is there with
// the same digests. All are \collective and throw Error; rank 0 prints.

#include <filesystem>
#include <optional>
#include <string>

#include "analysis/report.hpp"
#include "analysis/verification.hpp"
#include "engine/base/stop_request.hpp"
#include "engine/faults/plan.hpp"
#include "engine/network/network.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"
#include "jobs/resolve/context.hpp"

namespace flipstorm
{

/// Train the job's network into model.h5, on all ranks. Nothing to do if the job names a model.file, unless
/// it fine-tunes that one.
StageEnd run_train(const Context& context);

/**
 * Make a model file of a TorchScript file (Context::model_files), on rank 0; the job names the data and their
 * normalisation.
 *
 * The network's arch is "torchscript", whatever model.arch says. Refuses a graph whose logits are not
 * TorchScript's, on noise and on test images.
 */
StageEnd run_import(const Context& context);

/**
 * Store the network of a model file of fp32 in the job's number formats, in another file
 * (Context::model_files), on rank 0; the job names the data. Ranges of values come from training images.
 */
StageEnd run_convert(const Context& context);

/// Inject the faults of the plan on all ranks, journal the outcomes, and gather them into campaign.h5.
StageEnd run_inject(const Context& context);

/// Train forests on the campaign and predict every bit into forest.h5; judge the map by another campaign, if
/// forest.validate_with names one.
StageEnd run_forest(const Context& context);

/// The same, then the campaign that --validate asks for, and what it says of the map.
StageEnd run_forest_and_validate(const Context& context);

/// Size the protection into protection.h5, on rank 0.
StageEnd run_harden(const Context& context);

/// Prove the protection: campaigns into the protected memory, in OUT/verify, and what they say of it.
StageEnd run_verify(const Context& context);

/// The job of these campaigns.
[[nodiscard]] Context verification_context(const Context& context);

/// What they say.
struct ProofOfJob
{
    Proof proof;
    std::string sha256;  ///< stage digests of all that it comes from; empty: none of them is there
    std::filesystem::path memory_file;  ///< memory.h5; empty: not there
    std::optional<Verification> verification{};
    std::optional<MemoryRecord> memory{};
};

/// What is in OUT/verify about the protection of the job; what is of another one is left out, with a warning.
/// \param unprotected  Context::campaign_file \throws FileError
[[nodiscard]] ProofOfJob proof_of(const Context& context, const CampaignRecord& unprotected);

/// Print what they say, on rank 0. \throws FileError, DataError
StageEnd report_verification_on_root(const Context& context);

/// Print Tables I to III, draw the figures and write report.html, on rank 0.
StageEnd run_report(const Context& context);

/// The report of a campaign in weights and of one of transient faults, called on rank 0: tables on standard
/// output, report.html.
StageEnd report_weights_on_root(const Context& context, const StopRequest& stop);
StageEnd report_transient_on_root(const Context& context);
/// The same of a campaign into a protected memory.
StageEnd report_protected_on_root(const Context& context, const StopRequest& stop);

/// Train, inject, forest, harden, report; ends at the first that is stopped. Of transient faults there is no
/// forest to train and no memory to harden.
StageEnd run_all(const Context& context);

/// The first rank's reason to stop, the same on all ranks; empty: none has one. \collective
std::string agreed_stop_reason(const Context& context);

/// Whether any rank has a reason to stop; rank 0 says which.
bool stop_was_asked_for(const Context& context);

/// Print strata, sample sizes and cost of the job's campaign. Reads the data set and, if there, the model.
StageEnd print_plan(const Context& context);

/// The campaign to analyse, whole. \throws FileError, MemoryError.
CampaignRecord campaign_of(const Context& context);

/// The network that a campaign struck, and the layers of the campaign, in its order.
struct StruckNetwork
{
    Network network;
    std::vector<InjectableLayer> layers;

    /// The words of a layer.
    [[nodiscard]] StoredTensor words(std::size_t layer) const
    {
        return struck_tensor(network, layers[layer]);
    }
};

/// Load it from Context::model_file. \throws FileError; DataError if that is another network than the
/// campaign's
StruckNetwork struck_network(const Context& context, const CampaignHeader& campaign);

/// \throws DataError, naming both files, unless the forest was trained on this campaign.
void require_same_campaign(const Context& context, const CampaignRecord& campaign,
                           const ForestRecord& forest);

/// \throws AgreedError, naming the stage, if the job's faults do not lie in memory.
void need_memory(const Context& context, const char* stage);

}  // namespace flipstorm
