#pragma once
// From the strata of a plan to those of campaign.h5.

#include <cstdint>
#include <vector>

#include "engine/faults/plan.hpp"
#include "hdf5_schema/campaign_file.hpp"

namespace flipstorm
{

/**
 * The strata of campaign.h5: those of the plan; of a guided campaign two for each. The one holds what was
 * seen before the last round began, all of it and nothing else; the other the faults that were left then,
 * which the last round is a random sample of. So what is estimated from strata is right for it, too.
 */
class FileStrata
{
  public:
    /// \param planned, evaluated, known  by stratum of the plan, as Course has them
    FileStrata(const Plan& plan, const std::vector<std::uint64_t>& planned,
               const std::vector<std::uint64_t>& evaluated, const std::vector<std::uint64_t>& known);

    [[nodiscard]] const StrataTable& table() const { return table_; }
    /// Row of the table for a fault of the plan.
    [[nodiscard]] std::int32_t row_of(FaultIndex fault, StratumId stratum) const;

  private:
    std::vector<std::uint64_t> first_;  ///< by stratum of the plan: number of its first fault
    std::vector<std::uint64_t> known_;
    std::vector<std::int32_t> row_;  ///< by stratum of the plan: its first row
    StrataTable table_;
};

}  // namespace flipstorm
