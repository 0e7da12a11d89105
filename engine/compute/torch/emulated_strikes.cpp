// Transient faults in networks of whole numbers on LibTorch, a batch of (fault, image) pairs at a time.

#include <algorithm>

#include "engine/compute/integer/integer_logits.hpp"
#include "engine/compute/strike_backend.hpp"
#include "engine/compute/torch/integer_emulation.hpp"

namespace flipstorm
{
namespace
{

class EmulatedStrikes : public StrikeBackend
{
  public:
    EmulatedStrikes(const Network& network, const ImageSet& images, torch::Device device, bool follow_all)
        : network_(network), images_(images), emulation_(network, device), follow_all_(follow_all)
    {}

    [[nodiscard]] std::size_t batch() const override { return 64; }
    [[nodiscard]] std::uint64_t memory() const override { return 2 * batch() * emulation_.image_bytes(); }

    /// The same bits as LibTorch's.
    [[nodiscard]] std::vector<float> golden_logits(int threads) const override
    {
        return integer_logits(network_, images_, 0, images_.size(), threads);
    }

    void follow(const LayerSuffix& layer, const StruckPair* pairs, std::size_t count,
                const std::vector<float>& golden, StrikePolicy& policy) const override
    {
        const c10::InferenceMode no_gradients;
        std::vector<NodeId> nodes = layer.near_nodes;
        nodes.insert(nodes.end(), layer.far_nodes.begin(), layer.far_nodes.end());
        std::vector<std::int64_t> of_images;
        for (std::size_t p = 0; p < count; ++p)
        {
            if (of_images.empty() || of_images.back() != pairs[p].image) of_images.push_back(pairs[p].image);
        }
        const std::vector<torch::Tensor> values =
            emulation_.values(image_batch(images_, of_images, network_.normalisation, emulation_.device()));
        const torch::Tensor codes = values[index(layer.layer)].to(torch::kCPU, torch::kInt32).contiguous();
        const std::int64_t size = codes.numel() / codes.size(0);

        std::vector<std::size_t> followed;
        std::vector<std::int64_t> rows;
        std::vector<float> struck;
        std::int64_t row = -1;
        for (std::size_t p = 0; p < count; ++p)
        {
            if (row < 0 || of_images[static_cast<std::size_t>(row)] != pairs[p].image) ++row;
            const std::int32_t* const own = codes.data_ptr<std::int32_t>() + row * size;
            std::vector<std::int32_t> changed(own, own + size);
            pairs[p].disturbance->apply(network_.activations[index(layer.layer)], changed.data());
            if (!follow_all_ && std::equal(changed.begin(), changed.end(), own))
            {
                policy.masked(p, false);
                continue;
            }
            followed.push_back(p);
            rows.push_back(row);
            struck.insert(struck.end(), changed.begin(), changed.end());
        }
        if (followed.empty()) return;
        const torch::Tensor picked = torch::tensor(rows, torch::kInt64).to(emulation_.device());
        std::vector<torch::Tensor> behind(values.size());
        for (std::size_t i = 0; i < values.size(); ++i)
            behind[i] = values[i].index_select(0, picked);
        torch::Tensor& value = behind[index(layer.layer)];
        value = torch::from_blob(struck.data(), value.sizes().vec()).to(emulation_.device());
        const torch::Tensor logits = emulation_.resume(behind, nodes);
        const std::int64_t classes = logits.size(1);
        for (std::size_t k = 0; k < followed.size(); ++k)
        {
            const std::size_t p = followed[k];
            const float* const of_pair = logits.data_ptr<float>() + static_cast<std::int64_t>(k) * classes;
            if (std::equal(of_pair, of_pair + classes, golden.data() + pairs[p].image * classes))
                policy.masked(p, true);
            else
                policy.at_logits(p, of_pair);
        }
    }

  private:
    const Network& network_;
    const ImageSet& images_;
    IntegerEmulation emulation_;
    bool follow_all_;
};

}  // namespace

std::unique_ptr<StrikeBackend> make_emulated_strikes(const Network& network, const ImageSet& images,
                                                     Device device, bool follow_all)
{
    return std::make_unique<EmulatedStrikes>(network, images, torch_device(device), follow_all);
}

}  // namespace flipstorm
