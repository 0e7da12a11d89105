// Transient faults followed by the native kernels, image by image.

#include <algorithm>
#include <memory>
#include <mutex>

#include "engine/base/parallel.hpp"
#include "engine/compute/cpu/native_replay.hpp"
#include "engine/evaluate/tile_evaluator.hpp"
#include "engine/evaluate/transient_follower.hpp"

namespace flipstorm
{
namespace
{

/// Objects that threads take and give back.
class ReplayPool
{
  public:
    explicit ReplayPool(const ReplayNetwork& network) : network_(network) {}

    std::unique_ptr<Replay> take()
    {
        const std::lock_guard<std::mutex> lock(guard_);
        if (free_.empty()) return std::make_unique<Replay>(network_);
        std::unique_ptr<Replay> replay = std::move(free_.back());
        free_.pop_back();
        return replay;
    }

    void give_back(std::unique_ptr<Replay> replay)
    {
        const std::lock_guard<std::mutex> lock(guard_);
        free_.push_back(std::move(replay));
    }

  private:
    const ReplayNetwork& network_;
    std::mutex guard_;
    std::vector<std::unique_ptr<Replay>> free_;
};

class NativeFollower : public TransientFollower
{
  public:
    NativeFollower(const Network& network, const ImageSet& images)
        : network_(network),
          images_(images),
          replay_network_(network),
          pool_(replay_network_),
          reference_(make_libtorch_follower(network, images, Device{}, true)),
          all_(nodes_from(network.graph, NodeId(1)))
    {}

    [[nodiscard]] std::size_t batch() const override { return 64; }
    [[nodiscard]] std::uint64_t memory() const override
    {
        return Replay::bytes(replay_network_) + reference_->memory();
    }

    [[nodiscard]] torch::Tensor golden_logits(int threads) const override
    {
        torch::Tensor logits = torch::empty({images_.size(), network_.num_classes}, torch::kFloat32);
        constexpr std::int64_t kImages = 64;
        parallel_for((images_.size() + kImages - 1) / kImages, threads, [&](std::int64_t b) {
            std::unique_ptr<Replay> replay = pool_.take();
            for (std::int64_t n = b * kImages; n < std::min((b + 1) * kImages, images_.size()); ++n)
            {
                load(*replay, n);
                replay->golden(all_);
                std::copy_n(replay->golden_logits(), network_.num_classes,
                            logits.data_ptr<float>() + n * network_.num_classes);
            }
            pool_.give_back(std::move(replay));
        });
        return logits;
    }

    void follow(const StruckLayer& layer, const TransientPair* pairs, std::size_t count,
                const torch::Tensor& golden, const Golden& prediction, PairOutcome* outcomes) const override
    {
        std::vector<NodeId> before;  // and near
        const std::vector<NodeId>& far = layer.suffix.far_nodes;
        for (const NodeId id : all_)
        {
            if (!std::binary_search(far.begin(), far.end(), id)) before.push_back(id);
        }
        std::unique_ptr<Replay> replay = pool_.take();
        std::vector<std::size_t> overflowing;
        for (std::size_t first = 0; first < count;)
        {
            const std::int64_t image = pairs[first].image;
            std::size_t end = first + 1;
            while (end < count && pairs[end].image == image)
                ++end;
            load(*replay, image);
            replay->golden(before);
            const std::vector<float> output = replay->golden_map(layer.suffix.layer);
            std::vector<float> input;
            std::vector<float> struck;
            const float* const golden_logits = golden.data_ptr<float>() + image * golden.size(1);
            for (std::size_t p = first; p < end; ++p)
            {
                const TransientFault& fault = pairs[p].strike->fault;
                if (input.empty() && layer.needs_input(fault)) input = replay->golden_map(layer.input);
                struck = output;
                layer.corrupt(fault, input.data(), struck.data());
                const float* logits = nullptr;
                if (replay->strike(layer.suffix.layer, output.data(), struck.data()))
                    logits = replay->follow(layer.suffix, golden_logits, static_cast<std::int64_t>(end - p));
                const auto n = static_cast<std::size_t>(image);
                if (replay->overflowed())
                    overflowing.push_back(p);
                else if (logits == nullptr)
                    outcomes[p] = masked_outcome(prediction, image);
                else
                    outcomes[p] = {judge(logits, golden.size(1), prediction.label[n], prediction.top1[n]),
                                   false, true};
            }
            first = end;
        }
        pool_.give_back(std::move(replay));
        as_reference(layer, pairs, overflowing, golden, prediction, outcomes);
    }

  private:
    /// Follow the listed pairs, in which a sum may overflow, as mode `reference` does.
    void as_reference(const StruckLayer& layer, const TransientPair* pairs,
                      const std::vector<std::size_t>& listed, const torch::Tensor& golden,
                      const Golden& prediction, PairOutcome* outcomes) const
    {
        std::vector<TransientPair> some;
        for (const std::size_t p : listed)
            some.push_back(pairs[p]);
        std::vector<PairOutcome> found(some.size());
        const std::size_t batch = reference_->batch();
        for (std::size_t first = 0; first < some.size(); first += batch)
        {
            reference_->follow(layer, some.data() + first, std::min(batch, some.size() - first), golden,
                               prediction, found.data() + first);
        }
        for (std::size_t k = 0; k < listed.size(); ++k)
            outcomes[listed[k]] = found[k];
    }

    void load(Replay& replay, std::int64_t image) const
    {
        std::vector<float> pixels(static_cast<std::size_t>(elements(network_.graph.input_shape())));
        normalise(images_, {image}, network_.normalisation, pixels.data());
        replay.load(pixels.data());
    }

    const Network& network_;
    const ImageSet& images_;
    ReplayNetwork replay_network_;
    mutable ReplayPool pool_;
    std::unique_ptr<TransientFollower> reference_;  ///< for what may overflow
    std::vector<NodeId> all_;                       ///< but the input
};

}  // namespace

std::unique_ptr<TransientFollower> make_native_follower(const Network& network, const ImageSet& images)
{
    return std::make_unique<NativeFollower>(network, images);
}

}  // namespace flipstorm
