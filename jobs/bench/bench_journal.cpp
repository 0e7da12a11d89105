#include "jobs/bench/bench_journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "analysis/result_table.hpp"
#include "engine/base/timing.hpp"
#include "jobs/campaign/outcome_codec.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

constexpr std::size_t kSegments = 5;

/// A folder that is removed with all that is in it.
class ScratchFolder
{
  public:
    explicit ScratchFolder(fs::path path) : path_(std::move(path)) {}
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    ~ScratchFolder()
    {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }

    [[nodiscard]] const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

/// The measured outcomes, over and over, as many as a chunk has.
std::vector<Outcome> repeated(const std::vector<Outcome>& outcomes, std::uint64_t count)
{
    std::vector<Outcome> chunk;
    for (std::uint64_t k = 0; k < count; ++k)
        chunk.push_back(outcomes[k % outcomes.size()]);
    return chunk;
}

/// The chunks of one segment.
std::vector<std::vector<Outcome>> segment_chunks(const ModeBench& mode,
                                                 const std::vector<std::uint64_t>& plan_faults,
                                                 const std::vector<std::uint64_t>& chunk_faults,
                                                 double journal_seconds, JournalCost& cost)
{
    std::vector<std::vector<Outcome>> chunks;
    std::vector<std::uint64_t> left = plan_faults;
    const auto full = [&] {
        return cost.work_seconds >= journal_seconds || cost.bytes >= FlushPolicy{}.bytes;
    };
    for (bool more = true; more;)
    {
        more = false;
        for (std::size_t l = 0; l < mode.layers.size(); ++l)
        {
            const std::vector<Outcome>& outcomes = mode.layers[l].outcomes;
            const std::uint64_t count = std::min(left[l], chunk_faults[l]);
            if (outcomes.empty() || count == 0) continue;
            if (full() && !chunks.empty()) return chunks;
            left[l] -= count;
            more = true;
            chunks.push_back(repeated(outcomes, count));
            cost.faults += count;
            cost.bytes += encode_outcomes(chunks.back()).size();
            cost.work_seconds +=
                static_cast<double>(count) * seconds_per_fault(mode.layers[l], plan_faults[l]);
        }
    }
    return chunks;
}

}  // namespace

JournalCost measure_journal_cost(const fs::path& folder, const ModeBench& mode,
                                 const std::vector<std::uint64_t>& plan_faults,
                                 const std::vector<std::uint64_t>& chunk_faults, double journal_seconds)
{
    JournalCost cost;
    cost.mode = mode.mode;
    const auto chunks = segment_chunks(mode, plan_faults, chunk_faults, journal_seconds, cost);
    if (chunks.empty()) return cost;
    const std::string start = new_start_id(Communicator());
    const ScratchFolder scratch(folder / (".bench-" + start));
    constexpr double kNever = std::numeric_limits<double>::infinity();
    JournalWriter writer(scratch.path(), "bench", start, 0, {kNever, std::size_t(-1)}, steady_seconds);
    std::array<double, kSegments> seconds{};
    for (double& taken : seconds)
    {
        const Stopwatch watch;
        std::uint64_t id = 0;
        for (const std::vector<Outcome>& chunk : chunks)
            writer.append({ChunkId(id++), encode_outcomes(chunk)});
        writer.flush();
        taken = watch.seconds();
    }
    std::sort(seconds.begin(), seconds.end());
    cost.seconds = seconds[kSegments / 2];
    return cost;
}

std::string describe(const JournalCost& cost)
{
    return fmt::format(
        "Journal ({}): a segment of {} faults, {:.0f} KiB, every {:.3g} s, takes {:.3g} ms to write: {:.2g} "
        "% "
        "of the run time.",
        to_string(cost.mode), format_count(cost.faults), static_cast<double>(cost.bytes) / 1024,
        cost.work_seconds, 1e3 * cost.seconds, 100 * cost.share());
}

}  // namespace flipstorm
