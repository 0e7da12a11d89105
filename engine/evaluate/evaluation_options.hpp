#pragma once
// How faults are evaluated, and what is counted of it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/compute/device.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// How much work an evaluation does; see engine/METHODS.md.
enum class EvaluationMode
{
    reference,  ///< a full forward pass over all images per fault: the oracle
    exact,      ///< golden prefix reused, only what changes recomputed, sequential stop
    screened,   ///< the same, but changes too small to matter to first order are taken as harmless
};

/// What computes the outcomes.
enum class Backend
{
    automatic,  ///< native on a CPU, LibTorch on a GPU and where native has an obstacle
    native,     ///< kernels of our own on the CPU
    libtorch,   ///< batched LibTorch operations on the evaluator's device
};

/// How the faults of a layer are screened.
struct Screen
{
    double kappa = 3;  ///< safety factor on the first-order move of a margin; infinity: never screen
    double tau = 3;    ///< largest change of a value, in standard deviations of its channel, if the image has
                       ///< the mean margin; in proportion to the margin
    double audit_share = 0.005;  ///< of the screened pairs, followed to the logits all the same
};

/// Mode of that name. \throws JobError naming the known ones.
EvaluationMode evaluation_mode(std::string_view name);

/// Backend of that name: "auto", "native", "libtorch". \throws JobError naming the known ones.
Backend backend_from(std::string_view name);

/// How an evaluator works. Outcomes depend on `mode`, `tolerances` and `seed` only, rounding ties aside.
struct EvaluationOptions
{
    EvaluationMode mode = EvaluationMode::exact;
    std::vector<double> tolerances;  ///< rising; a fault that exceeds the last one may stop early
    std::uint64_t memory_budget = std::uint64_t{2}
                                  << 30U;  ///< bytes: golden activations, work space, packed weights
    int threads = 1;
    Device device;
    Backend backend = Backend::automatic;
    std::vector<TensorKind> parameters{TensorKind::weights};  ///< what can be hit: see injectable_layers()
    std::uint64_t seed = 0;            ///< of the choice of screened pairs that are audited
    std::vector<float> golden_logits;  ///< where they are known already, as golden_share() sums to
};

/// What became of the (fault, image) pairs since an evaluator was made.
struct WorkCount
{
    std::uint64_t pairs = 0;       ///< faults × images asked for
    std::uint64_t stopped = 0;     ///< never looked at: the fault had stopped
    std::uint64_t masked = 0;      ///< the change came out as exactly zero
    std::uint64_t proven = 0;      ///< the change is provably too small to matter
    std::uint64_t screened = 0;    ///< taken as unchanged at the faulty layer
    std::uint64_t rescreened = 0;  ///< taken as unchanged further on
    std::uint64_t finished = 0;    ///< followed to the logits
    std::uint64_t audited = 0;     ///< of those, the screened ones
    double macs = 0;               ///< multiply-accumulate operations done for the pairs
    double pass_macs = 0;          ///< and in golden and gradient passes
    double pass_seconds = 0;       ///< that those took
    double kept_seconds = 0;       ///< of them, for tiles that stay in memory for the next call
    std::uint64_t peak_bytes = 0;  ///< golden values, gradients and work space at their largest

    WorkCount& operator+=(const WorkCount& other)
    {
        pairs += other.pairs;
        stopped += other.stopped;
        masked += other.masked;
        proven += other.proven;
        screened += other.screened;
        rescreened += other.rescreened;
        finished += other.finished;
        audited += other.audited;
        macs += other.macs;
        pass_macs += other.pass_macs;
        pass_seconds += other.pass_seconds;
        kept_seconds += other.kept_seconds;
        peak_bytes = peak_bytes > other.peak_bytes ? peak_bytes : other.peak_bytes;
        return *this;
    }
};

/// Images after which a fault may stop.
constexpr std::int64_t kWaveImages = 400;

/// How the faults of a layer are evaluated on all images, in bytes of memory; see EvaluationOptions.
struct LayerMemory
{
    std::uint64_t tile_images = 0;
    std::uint64_t tiles = 0;      ///< images are evaluated in so many parts
    std::uint64_t together = 0;   ///< tiles prepared and evaluated at a time
    std::uint64_t kept = 0;       ///< prepared tiles that stay for the next chunk of the layer
    std::uint64_t group = 0;      ///< faults that a thread evaluates together on a tile
    std::uint64_t prepared = 0;   ///< golden values and gradients, of all tiles that are there at a time
    std::uint64_t preparing = 0;  ///< beside that, while they are computed
    std::uint64_t work = 0;       ///< work space of all threads

    [[nodiscard]] std::uint64_t total() const { return prepared + preparing + work; }
};

/// What beside the options decides where a fault stops: part of a campaign's digest.
std::string evaluation_layout();

}  // namespace flipstorm
