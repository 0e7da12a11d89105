// Transient faults followed by the native kernels, image by image.

#include <algorithm>
#include <memory>
#include <vector>

#include "engine/base/object_pool.hpp"
#include "engine/base/parallel.hpp"
#include "engine/compute/cpu/native_replay.hpp"
#include "engine/compute/strike_backend.hpp"

namespace flipstorm
{
namespace
{

class NativeStrikes : public StrikeBackend
{
  public:
    NativeStrikes(const Network& network, const ImageSet& images)
        : network_(network),
          images_(images),
          replay_network_(network),
          pool_(replay_network_),
          reference_(make_libtorch_strikes(network, images, Device{}, true)),
          all_(nodes_from(network.graph, NodeId(1)))
    {}

    [[nodiscard]] std::size_t batch() const override { return 64; }
    [[nodiscard]] std::uint64_t memory() const override
    {
        return ReplayValues::bytes(replay_network_) + reference_->memory();
    }

    [[nodiscard]] std::vector<float> golden_logits(int threads) const override
    {
        std::vector<float> logits(static_cast<std::size_t>(images_.size() * network_.num_classes));
        constexpr std::int64_t kImages = 64;
        parallel_for((images_.size() + kImages - 1) / kImages, threads, [&](std::int64_t b) {
            std::unique_ptr<Replay> replay = pool_.take();
            for (std::int64_t n = b * kImages; n < std::min((b + 1) * kImages, images_.size()); ++n)
            {
                load(*replay, n);
                replay->golden(all_);
                std::copy_n(replay->golden_logits(), network_.num_classes,
                            logits.data() + n * network_.num_classes);
            }
            pool_.give_back(std::move(replay));
        });
        return logits;
    }

    void follow(const LayerSuffix& layer, const StruckPair* pairs, std::size_t count,
                const std::vector<float>& golden, StrikePolicy& policy) const override
    {
        std::vector<NodeId> before;  // and near
        const std::vector<NodeId>& far = layer.far_nodes;
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
            follow_image(*replay, layer, pairs, first, end, golden.data() + image * network_.num_classes,
                         policy, overflowing);
            first = end;
        }
        pool_.give_back(std::move(replay));
        as_reference(layer, pairs, overflowing, golden, policy);
    }

  private:
    /// Hands on the outcomes of some of the pairs.
    class Selected : public StrikePolicy
    {
      public:
        Selected(StrikePolicy& policy, const std::size_t* numbers) : policy_(policy), numbers_(numbers) {}
        void masked(std::size_t pair, bool followed) override { policy_.masked(numbers_[pair], followed); }
        void at_logits(std::size_t pair, const float* logits) override
        {
            policy_.at_logits(numbers_[pair], logits);
        }

      private:
        StrikePolicy& policy_;
        const std::size_t* numbers_;
    };

    /// The pairs [first, end) of one image. \param overflowing  gets those in which a sum may overflow
    void follow_image(Replay& replay, const LayerSuffix& layer, const StruckPair* pairs, std::size_t first,
                      std::size_t end, const float* golden_logits, StrikePolicy& policy,
                      std::vector<std::size_t>& overflowing) const
    {
        const std::vector<float> output = replay.golden_map(layer.layer);
        std::vector<float> input;
        std::vector<float> struck;
        for (std::size_t p = first; p < end; ++p)
        {
            const Disturbance& disturbance = *pairs[p].disturbance;
            if (input.empty() && disturbance.needs_input())
                input = replay.golden_map(network_.graph.node(layer.layer).inputs[0]);
            struck = output;
            disturbance.apply(input.data(), struck.data());
            const float* logits = nullptr;
            if (replay.strike(layer.layer, output.data(), struck.data()))
                logits = replay.follow(layer, golden_logits, static_cast<std::int64_t>(end - p));
            if (replay.overflowed())
                overflowing.push_back(p);
            else if (logits == nullptr)
                policy.masked(p, false);
            else
                policy.at_logits(p, logits);
        }
    }

    /// Follow the listed pairs, in which a sum may overflow, as mode `reference` does.
    void as_reference(const LayerSuffix& layer, const StruckPair* pairs,
                      const std::vector<std::size_t>& listed, const std::vector<float>& golden,
                      StrikePolicy& policy) const
    {
        std::vector<StruckPair> some;
        for (const std::size_t p : listed)
            some.push_back(pairs[p]);
        const std::size_t batch = reference_->batch();
        for (std::size_t first = 0; first < some.size(); first += batch)
        {
            Selected selected(policy, listed.data() + first);
            reference_->follow(layer, some.data() + first, std::min(batch, some.size() - first), golden,
                               selected);
        }
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
    mutable ObjectPool<Replay, ReplayNetwork> pool_;
    std::unique_ptr<StrikeBackend> reference_;  ///< for what may overflow
    std::vector<NodeId> all_;                   ///< but the input
};

}  // namespace

std::unique_ptr<StrikeBackend> make_native_strikes(const Network& network, const ImageSet& images)
{
    return std::make_unique<NativeStrikes>(network, images);
}

}  // namespace flipstorm
