#pragma once
// What a campaign will cost, in words and tables. Pure functions.

#include <cstdint>
#include <string>
#include <vector>

#include "jobs/cost/calibration.hpp"
#include "jobs/cost/cost_model.hpp"

namespace flipstorm
{

/// All that the text is about.
struct CostSetting
{
    const Campaign* campaign = nullptr;
    const Calibration* calibration = nullptr;
    std::string device;               ///< "cpu", "cuda:0"
    int threads = 1;                  ///< per rank
    bool fresh = false;               ///< the model is not trained yet
    std::uint64_t memory_budget = 0;  ///< bytes
    double journal_seconds = 0;
    std::vector<RankGroup> ranks;  ///< to predict the time on
};

/// Overheads of a queue of chunks on this campaign.
[[nodiscard]] QueueOverheads overheads_of(const CostSetting& setting);

/// Cost by layer, memory, file sizes, time on so many ranks, and where that stops scaling.
[[nodiscard]] std::string describe_cost(const CostSetting& setting);

}  // namespace flipstorm
