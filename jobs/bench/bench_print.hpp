#pragma once
// A benchmark as tables for the terminal and as JSON for scripts. Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/result_table.hpp"
#include "engine/base/peak_flops.hpp"
#include "jobs/bench/bench.hpp"
#include "jobs/bench/bench_journal.hpp"

namespace flipstorm
{

/// What all modes share.
struct BenchSetting
{
    std::string job;
    std::string model;
    std::string device;  ///< "cpu", "cuda:0"
    std::string backend;
    int threads = 1;
    std::uint64_t images = 0;
    std::uint64_t memory_budget = 0;  ///< bytes
    PeakFlops peak;
    std::vector<std::string> layers;
    std::vector<std::uint64_t> plan_faults;   ///< of the whole campaign, by layer
    std::vector<std::uint64_t> chunk_faults;  ///< by layer
    std::vector<std::string>
        too_small;  ///< layers that the campaign evaluates exactly: too few pairs to audit
    std::optional<JournalCost> journal;  ///< of the fastest mode; none: it could not be written
};

/// Speed, pairs by what became of them, layers, and agreement, for the terminal.
[[nodiscard]] std::vector<ResultTable> bench_tables(const BenchSetting& setting,
                                                    const std::vector<ModeBench>& modes,
                                                    const std::vector<Agreement>& agreements);

/// All of it as JSON, for scripts.
[[nodiscard]] std::string bench_json(const BenchSetting& setting, const std::vector<ModeBench>& modes,
                                     const std::vector<Agreement>& agreements);

}  // namespace flipstorm
