#pragma once
// The report of a job: one self-contained HTML page for the engineer who has to decide on the network's
// protection.

#include <string>
#include <vector>

#include "analysis/result_table.hpp"
#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"
#include "hdf5_schema/protection_file.hpp"

namespace flipstorm
{

/// What the report says beyond the records.
struct ReportOptions
{
    std::string title;                 ///< name of the job
    std::vector<std::string> figures;  ///< of "criticality", "roc", "overhead", "pareto", "ber": those there
                                       ///< are as figures/NAME.png
};

/// What campaigns into the protected memory said.
struct Proof
{
    std::vector<ResultTable> tables;
    std::string disagreement;  ///< with what was predicted, as a sentence; empty: none
};

/**
 * The complete HTML page: key figures, what limits them, Tables I to III, critical shares of layers and bits
 * for every tolerance, figures, importance of the features, protection options, provenance and the resolved
 * job file. Its style sheet is embedded; figures are linked relative to the page.
 *
 * \param campaign, forest, protection  of one job, as their files hold them. Thread-safe.
 */
std::string render_report(const CampaignRecord& campaign, const ForestRecord& forest,
                          const ProtectionRecord& protection, const ReportOptions& options,
                          const Proof& proof = {});

/**
 * The page of a campaign alone, for faults that no forest can speak of (why_not_learnt): key figures, what
 * limits them, critical shares, screens, provenance.
 *
 * \throws DataError if the campaign cannot be (check_campaign). Thread-safe.
 */
std::string render_campaign_report(const CampaignRecord& campaign, const ReportOptions& options);

}  // namespace flipstorm
