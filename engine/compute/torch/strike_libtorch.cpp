// Transient faults followed by LibTorch, a batch of (fault, image) pairs at a time.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/compute/batch_size.hpp"
#include "engine/compute/strike_backend.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/compute/torch/golden_logits.hpp"

namespace flipstorm
{
namespace
{

/// Logits that differ by less, in relation to the largest, may be golden ones that were rounded otherwise.
constexpr float kRounding = 1e-3F;

std::int64_t batch_size(const Graph& graph)
{
    return images_within({128, 64, 32, 16, 8, 4, 2}, all_elements(graph), std::int64_t{1} << 24);
}

torch::Tensor to_rows(const std::vector<std::int64_t>& rows, torch::Device device)
{
    return torch::tensor(rows, torch::kLong).to(device);
}

torch::Tensor pick(const torch::Tensor& values, const torch::Tensor& rows)
{
    return values.index_select(0, rows);
}

/// Rows in which two values differ in a bit, on the CPU. bool [rows]
torch::Tensor rows_that_differ(const torch::Tensor& a, const torch::Tensor& b)
{
    const torch::Tensor differs = a.contiguous().view(torch::kInt32) != b.contiguous().view(torch::kInt32);
    return differs.flatten(1).any(1).to(torch::kCPU);
}

/// Whether finite logits are so near the golden ones that only rounding may part them.
bool near_golden(const float* logits, const float* golden, std::int64_t classes)
{
    float scale = 0;
    float distance = 0;
    for (std::int64_t c = 0; c < classes; ++c)
    {
        if (!std::isfinite(logits[c])) return false;
        scale = std::max(scale, std::fabs(golden[c]));
        distance = std::max(distance, std::fabs(logits[c] - golden[c]));
    }
    return distance <= kRounding * scale;
}

class LibtorchStrikes : public StrikeBackend
{
  public:
    LibtorchStrikes(const Network& network, const ImageSet& images, Device device, bool follow_all)
        : network_(network),
          images_(images),
          follow_all_(follow_all),
          batch_(batch_size(network.graph)),
          device_(device),
          executor_(network, torch_device(device))
    {}

    [[nodiscard]] std::size_t batch() const override { return static_cast<std::size_t>(batch_); }

    /// Golden and faulty values, each with room for what is computed from them.
    [[nodiscard]] std::uint64_t memory() const override
    {
        const Graph& graph = network_.graph;
        return static_cast<std::uint64_t>(
                   batch_ * (4 * live_elements(graph, NodeId(0)) + elements(graph.input_shape()))) *
               sizeof(float);
    }

    [[nodiscard]] std::vector<float> golden_logits(int threads) const override
    {
        return flipstorm::golden_logits(network_, images_, device_, batch_, threads);
    }

    void follow(const LayerSuffix& layer, const StruckPair* pairs, std::size_t count,
                const std::vector<float>& golden, StrikePolicy& policy) const override
    {
        const c10::InferenceMode no_gradients;
        run({layer, network_.graph.node(layer.layer).inputs[0], pairs, static_cast<std::int64_t>(count),
             golden.data(), policy});
    }

  private:
    /// What is to be followed, and who is told.
    struct Work
    {
        const LayerSuffix& layer;
        NodeId input;  ///< of the layer
        const StruckPair* pairs;
        std::int64_t count;
        const float* logits;  ///< golden
        StrikePolicy& policy;
    };

    /// The fault-free network on the images of a batch.
    struct GoldenBatch
    {
        std::vector<std::int64_t> row;      ///< of each pair's image
        std::vector<torch::Tensor> values;  ///< by node id: [images, …]
    };

    GoldenBatch golden_batch(const Work& work) const
    {
        GoldenBatch golden;
        std::vector<std::int64_t> images;
        for (std::int64_t p = 0; p < work.count; ++p)
        {
            const std::int64_t image = work.pairs[p].image;
            if (images.empty() || images.back() != image) images.push_back(image);
            golden.row.push_back(static_cast<std::int64_t>(images.size()) - 1);
        }
        const LayerSuffix& suffix = work.layer;
        std::vector<NodeId> wanted{suffix.layer, work.input};
        wanted.insert(wanted.end(), suffix.near_sides.begin(), suffix.near_sides.end());
        wanted.insert(wanted.end(), suffix.far_sides.begin(), suffix.far_sides.end());
        golden.values = executor_.forward_to(
            image_batch(images_, images, network_.normalisation, executor_.device()), wanted);
        return golden;
    }

    /// Corrupt the layer's output, one row per pair. \param output  on the CPU, contiguous, golden
    static void strike(const Work& work, const GoldenBatch& golden, torch::Tensor& output)
    {
        torch::Tensor input;
        for (std::int64_t p = 0; p < work.count; ++p)
        {
            const Disturbance& disturbance = *work.pairs[p].disturbance;
            const float* of_image = nullptr;
            if (disturbance.needs_input())
            {
                if (!input.defined()) input = golden.values[index(work.input)].to(torch::kCPU).contiguous();
                of_image =
                    input.data_ptr<float>() + golden.row[static_cast<std::size_t>(p)] * input.stride(0);
            }
            disturbance.apply(of_image, output.data_ptr<float>() + p * output.stride(0));
        }
    }

    /// Logits of rows of values at the cut, on the CPU. \param rows  of the golden batch, for what comes from
    /// the side
    torch::Tensor finish(const LayerSuffix& layer, const torch::Tensor& at_cut, const GoldenBatch& golden,
                         const torch::Tensor& rows) const
    {
        torch::Tensor logits = at_cut;
        if (!layer.far_nodes.empty())
        {
            std::vector<torch::Tensor> values(network_.graph.nodes().size());
            for (const NodeId side : layer.far_sides)
                values[index(side)] = pick(golden.values[index(side)], rows);
            values[index(layer.cut)] = at_cut;
            logits = executor_.resume(std::move(values), layer.far_nodes);
        }
        return logits.to(torch::kCPU).contiguous();
    }

    /// Values at the cut from those of the layer.
    torch::Tensor to_cut(const LayerSuffix& layer, const torch::Tensor& output, const GoldenBatch& golden,
                         const torch::Tensor& rows) const
    {
        if (layer.near_nodes.empty()) return output;
        std::vector<torch::Tensor> values(network_.graph.nodes().size());
        for (const NodeId side : layer.near_sides)
            values[index(side)] = pick(golden.values[index(side)], rows);
        values[index(layer.layer)] = output;
        return executor_.compute(std::move(values), layer.near_nodes, {layer.cut})[index(layer.cut)];
    }

    void run(const Work& work) const
    {
        const LayerSuffix& layer = work.layer;
        const GoldenBatch golden = golden_batch(work);
        const torch::Device device = executor_.device();
        const torch::Tensor clean =
            pick(golden.values[index(layer.layer)], to_rows(golden.row, device)).contiguous();
        torch::Tensor struck = clean.to(torch::kCPU).clone();
        strike(work, golden, struck);
        struck = struck.to(device);

        // Pairs that the fault has changed so far, and the rows of their images.
        std::vector<std::int64_t> changed(static_cast<std::size_t>(work.count));
        std::iota(changed.begin(), changed.end(), std::int64_t{0});
        torch::Tensor rows = to_rows(golden.row, device);
        // Leave out the pairs without a difference between two values; both keep the others' rows.
        const auto drop_masked = [&](torch::Tensor& a, torch::Tensor& b) {
            if (follow_all_) return;
            const torch::Tensor differs = rows_that_differ(a, b);
            const bool* const d = differs.data_ptr<bool>();
            std::vector<std::int64_t> kept;
            std::vector<std::int64_t> kept_pairs;
            for (std::size_t i = 0; i < changed.size(); ++i)
            {
                if (!d[i])
                {
                    work.policy.masked(static_cast<std::size_t>(changed[i]), false);
                    continue;
                }
                kept.push_back(static_cast<std::int64_t>(i));
                kept_pairs.push_back(changed[i]);
            }
            if (kept.size() == changed.size()) return;
            changed = std::move(kept_pairs);
            const torch::Tensor picked = to_rows(kept, device);
            rows = pick(rows, picked);
            a = pick(a, picked);
            b = pick(b, picked);
        };
        torch::Tensor good = clean;
        drop_masked(good, struck);
        if (changed.empty()) return;
        good = to_cut(layer, good, golden, rows);
        struck = to_cut(layer, struck, golden, rows);
        drop_masked(good, struck);
        if (changed.empty()) return;
        judge_logits(work, changed, golden, rows, good, struck);
    }

    /// Follow the changed pairs to the logits. \param good, struck  values at the cut
    void judge_logits(const Work& work, const std::vector<std::int64_t>& changed, const GoldenBatch& golden,
                      const torch::Tensor& rows, const torch::Tensor& good, const torch::Tensor& struck) const
    {
        const torch::Tensor logits = finish(work.layer, struck, golden, rows);
        const std::int64_t classes = logits.size(1);
        std::vector<std::int64_t> unsure;
        for (std::size_t i = 0; i < changed.size(); ++i)
        {
            const float* const row = logits.data_ptr<float>() + static_cast<std::int64_t>(i) * classes;
            const float* const golden_row = work.logits + work.pairs[changed[i]].image * classes;
            if (follow_all_ || near_golden(row, golden_row, classes))
                unsure.push_back(static_cast<std::int64_t>(i));
            else
                work.policy.at_logits(static_cast<std::size_t>(changed[i]), row);
        }
        if (unsure.empty()) return;
        // Golden logits in passes of the same shape: of all pairs once more, or twice of the few.
        const bool all = 2 * unsure.size() > changed.size();
        torch::Tensor differs;
        if (all)
            differs = rows_that_differ(finish(work.layer, good, golden, rows), logits);
        else
        {
            const torch::Tensor picked = to_rows(unsure, executor_.device());
            const torch::Tensor same_rows = pick(rows, picked);
            differs = rows_that_differ(finish(work.layer, pick(good, picked), golden, same_rows),
                                       finish(work.layer, pick(struck, picked), golden, same_rows));
        }
        const bool* const d = differs.data_ptr<bool>();
        for (std::size_t i = 0; i < unsure.size(); ++i)
        {
            const auto pair = static_cast<std::size_t>(changed[static_cast<std::size_t>(unsure[i])]);
            if (d[all ? static_cast<std::size_t>(unsure[i]) : i])
                work.policy.at_logits(pair, logits.data_ptr<float>() + unsure[i] * classes);
            else
                work.policy.masked(pair, true);
        }
    }

    const Network& network_;
    const ImageSet& images_;
    bool follow_all_;
    std::int64_t batch_;
    Device device_;
    Executor executor_;
};

}  // namespace

std::unique_ptr<StrikeBackend> make_libtorch_strikes(const Network& network, const ImageSet& images,
                                                     Device device, bool follow_all)
{
    return std::make_unique<LibtorchStrikes>(network, images, device, follow_all);
}

}  // namespace flipstorm
