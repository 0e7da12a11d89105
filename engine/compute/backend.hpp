#pragma once
// What a backend has to answer: golden values and gradients of a tile of images, and where the changes of a
// group of faults go from the faulty layer to the logits. What is judged, screened, proven, audited, and how
// it is tallied, the backend asks (PairPolicy): that stands once, for every backend. No LibTorch here.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/compute/device.hpp"
#include "engine/compute/margins.hpp"
#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// A weight that reads as another value: what any fault model of weights comes down to.
struct WeightChange
{
    std::uint64_t parameter = 0;  ///< flat row-major index in the layer's weight tensor
    float value = 0;              ///< faulty value; may be NaN or infinite
    std::uint64_t fault = 0;      ///< number of the fault: keys the choice of audited images
    std::uint32_t word = 0;  ///< that is stored now; of networks of whole numbers it counts, not the value
};

/// A contiguous range of changes of one layer.
struct ChangeGroup
{
    const WeightChange* changes = nullptr;
    std::size_t count = 0;
};

/// Normalised images where a backend computes; what it is, the backend knows.
class DeviceImages
{
  public:
    DeviceImages() = default;
    virtual ~DeviceImages() = default;
    DeviceImages(const DeviceImages&) = delete;
    DeviceImages& operator=(const DeviceImages&) = delete;
};

/// What a backend keeps of a tile for the changes of one layer: golden values and gradients.
class PreparedTile
{
  public:
    PreparedTile() = default;
    virtual ~PreparedTile() = default;
    PreparedTile(const PreparedTile&) = delete;
    PreparedTile& operator=(const PreparedTile&) = delete;

    [[nodiscard]] virtual std::uint64_t bytes() const = 0;

    TileMargins margins;
};

/// What is to be prepared of a tile beside its golden values.
struct PreparedFor
{
    bool gradients = false;  ///< of the margins, for a screen
    bool lengths = false;    ///< of what weights meet, for a certificate
};

/// Memory of an evaluation, in bytes.
struct TileMemory
{
    std::uint64_t prepared = 0;   ///< of a prepared tile
    std::uint64_t preparing = 0;  ///< beside that, while it is prepared
    std::uint64_t work = 0;       ///< work space of a group
};

/// A fault's change on an image, on its way.
struct Pair
{
    std::size_t fault = 0;   ///< in its group
    std::int64_t image = 0;  ///< in its tile
    bool screened = false;   ///< the screen would have let it go: it is audited
};

/// A pair in which a sum may overflow.
struct OverflowingPair
{
    Pair pair;
    std::int64_t channel = 0;   ///< that changes where the backend starts it anew
    std::vector<float> change;  ///< its change there, [pixels]; empty: the pair is started at the layer
};

/// What a backend has measured of a pair at the faulty layer, and what became of it.
struct LayerMeasure
{
    std::size_t fault = 0;   ///< in its group
    float size = 0;          ///< magnitude of the change, in the unit of the limits
    float proven = 0;        ///< sizes below cannot matter; 0: nothing is known
    float small = 0;         ///< sizes below are too small to first order to matter
    bool masked = false;     ///< it comes out as exactly zero
    bool overflows = false;  ///< a sum may overflow from the start

    bool follows = false;   ///< answer: the change is to be followed
    bool screened = false;  ///< answer: although the screen would let it go
};

/// What becomes of a group's pairs on a tile: the backend measures and carries, the policy decides and
/// counts.
class PairPolicy
{
  public:
    PairPolicy() = default;
    virtual ~PairPolicy() = default;
    PairPolicy(const PairPolicy&) = delete;
    PairPolicy& operator=(const PairPolicy&) = delete;

    /// Whether pairs are screened: only then moves and limits have to be measured.
    [[nodiscard]] virtual bool screens() const = 0;

    /// How far a node's channels may change on an image: tau(image) times the channel's spread.
    [[nodiscard]] virtual float tau(std::int64_t image) const = 0;
    [[nodiscard]] virtual const std::vector<float>& spread(NodeId node) const = 0;

    /**
     * The largest change that to first order moves no margin past zero.
     *
     * \param moves  of the margins for a unit change, [rivals]
     */
    [[nodiscard]] virtual float reach(std::int64_t image, const float* moves) const = 0;

    /// Whether first-order moves of the margins are harmless. \param moves  [rivals]
    [[nodiscard]] virtual bool harmless(std::int64_t image, const float* moves) const = 0;

    /// Whether lengths of changes can prove them harmless in this layer.
    [[nodiscard]] virtual bool proves() const = 0;

    /// The Euclidean length below which a change of a channel provably cannot matter on an image.
    [[nodiscard]] virtual float harmless_length(std::int64_t image, std::int64_t channel) const = 0;

    /// Judge pairs of one image at the faulty layer, and count those that end there.
    virtual void at_layer(std::int64_t image, LayerMeasure* measures, std::size_t count) = 0;

    /// A followed pair whose change has come out as exactly zero.
    virtual void masked(const Pair& pair) = 0;

    /// A pair that is too small to matter from here on, and was not before. \returns whether it goes on,
    /// to be audited
    [[nodiscard]] virtual bool screened_later(Pair& pair) = 0;

    /// A pair that came to its end. \param logits  [classes]
    virtual void at_logits(const Pair& pair, const float* logits) = 0;

    /// A pair in which a sum may overflow: what the backend has computed of it is not used.
    virtual void may_overflow(OverflowingPair pair) = 0;
};

/// One way to find out what changes do to a tile. Thread-safe.
class ComputeBackend
{
  public:
    ComputeBackend() = default;
    virtual ~ComputeBackend() = default;
    ComputeBackend(const ComputeBackend&) = delete;
    ComputeBackend& operator=(const ComputeBackend&) = delete;

    /// Changes per group; fixed, so that nothing depends on threads or ranks.
    [[nodiscard]] virtual std::size_t group_size() const = 0;

    /// Bytes that it holds of the network in layouts of its own, beside the network's values.
    [[nodiscard]] virtual std::uint64_t bytes() const = 0;

    [[nodiscard]] virtual TileMemory memory(const InjectableLayer& layer, std::int64_t tile_images,
                                            PreparedFor wanted) const = 0;

    /// Normalised images.
    [[nodiscard]] virtual std::unique_ptr<DeviceImages> load(
        const ImageSet& images, const std::vector<std::int64_t>& indices) const = 0;

    /// Golden values of a tile for the changes of a layer; null where none are needed.
    [[nodiscard]] virtual std::unique_ptr<PreparedTile> prepare(const InjectableLayer& layer,
                                                                const DeviceImages& images,
                                                                PreparedFor wanted) const = 0;

    /// Follow each change on each image as far as the policy asks.
    /// \returns multiply-accumulate operations done
    virtual double follow(const InjectableLayer& layer, const ChangeGroup& group, const DeviceImages& images,
                          const PreparedTile* prepared, PairPolicy& policy) const = 0;

    /**
     * Logits of pairs in which a sum may overflow, as mode `reference` computes them, to policy.at_logits().
     * \returns multiply-accumulate operations done
     */
    virtual double follow_as_reference(const InjectableLayer& layer, const ChangeGroup& group,
                                       const DeviceImages& images, const PreparedTile* prepared,
                                       const std::vector<OverflowingPair>& pairs,
                                       PairPolicy& policy) const = 0;
};

/// The whole network for each change.
[[nodiscard]] std::unique_ptr<ComputeBackend> make_reference_backend(const Network& network, Device device);

/// Networks of whole numbers, on the CPU. \throws JobError if integer_obstacle() says so
[[nodiscard]] std::unique_ptr<ComputeBackend> make_integer_backend(const Network& network);

/// The same, the whole network for each change.
[[nodiscard]] std::unique_ptr<ComputeBackend> make_integer_reference(const Network& network);

/// Faults in other tensors than weights of networks of whole numbers, on the CPU. \param full  each by full
/// passes \throws JobError as above
[[nodiscard]] std::unique_ptr<ComputeBackend> make_integer_parameters(const Network& network, bool full);

/// Networks of whole numbers on LibTorch, for faults in weights and in other tensors. \param full  the whole
/// network for each change \throws JobError if integer_obstacle() or emulation_obstacle() says so
[[nodiscard]] std::unique_ptr<ComputeBackend> make_emulated_backend(const Network& network, Device device,
                                                                    bool full);

/// Kernels of our own on the CPU. \throws Error if native_obstacle() says so
[[nodiscard]] std::unique_ptr<ComputeBackend> make_native_backend(const Network& network);

/// LibTorch's operations. \param work_bytes  of the memory budget, for the work space of one thread; more is
/// not made use of than helps
[[nodiscard]] std::unique_ptr<ComputeBackend> make_libtorch_backend(const Network& network, Device device,
                                                                    std::uint64_t work_bytes);

}  // namespace flipstorm
