// The parts of training that see tensors: loss, faults in a layer's output, batch norm over ranks; against
// explicit autograd graphs and LibTorch's own functions.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "engine/base/error.hpp"
#include "engine/train/fault_layer.hpp"
#include "engine/train/loss.hpp"
#include "engine/train/sync_batch_norm.hpp"
#include "thread_ranks.hpp"

namespace flipstorm
{
namespace
{

double largest_difference(const torch::Tensor& a, const torch::Tensor& b)
{
    return (a - b).abs().max().item<double>();
}

TEST(Loss, BinaryCrossEntropyIsItsFormula)
{
    const torch::Tensor logits = torch::tensor({{2.F, -1.F, 0.5F}, {-30.F, 40.F, 0.F}});
    const torch::Tensor labels = torch::tensor({2L, 0L});
    double expected = 0;
    for (int n = 0; n < 2; ++n)
    {
        for (int c = 0; c < 3; ++c)
        {
            const double z = logits[n][c].item<double>();
            const bool is_label = labels[n].item<std::int64_t>() == c;
            // −log σ(z) = log(1 + e^−z) and −log(1 − σ(z)) = log(1 + e^z)
            expected += std::log1p(std::exp(is_label ? -z : z));
        }
    }
    EXPECT_NEAR(mean_loss(Loss::bce, logits, labels).item<double>(), expected / 6, 1e-5);
    EXPECT_NEAR(mean_loss(Loss::cross_entropy, logits, labels).item<double>(),
                (std::log(std::exp(1.5) + std::exp(-1.5) + 1) + 70) / 2, 1e-5);
    EXPECT_EQ(loss_from("bce"), Loss::bce);
    EXPECT_THROW(static_cast<void>(loss_from("mse")), JobError);
}

/// 1 in the struck elements of images [first, first + images), else 0.
torch::Tensor mask_of(const TrainingFault& fault, const Shape& shape, std::int64_t first, std::int64_t images)
{
    std::vector<std::int64_t> sizes = shape;
    sizes.insert(sizes.begin(), images);
    torch::Tensor mask = torch::zeros(sizes);
    const std::int64_t height = shape.size() == 3 ? shape[1] : 1;
    const std::int64_t width = shape.size() == 3 ? shape[2] : 1;
    const torch::Tensor flat = mask.view({images, shape[0], height, width});
    for (const std::int64_t image : fault.images)
    {
        if (image < first || image >= first + images) continue;
        for (const std::int64_t channel : fault.region.channels)
        {
            for (std::int64_t row = 0; row < height; ++row)
            {
                for (std::int64_t column = 0; column < width; ++column)
                {
                    const auto& positions = fault.region.positions;
                    const bool in_range = row >= fault.region.row_begin && row < fault.region.row_end &&
                                          column >= fault.region.column_begin &&
                                          column < fault.region.column_end;
                    const bool is_listed = std::find(positions.begin(), positions.end(),
                                                     row * width + column) != positions.end();
                    if (positions.empty() ? in_range : is_listed)
                        flat[image - first][channel][row][column] = 1.F;
                }
            }
        }
    }
    return mask;
}

// value · (1 + (factor − 1) · mask) + shift · mask, with autograd's own gradient.
TEST(FaultLayer, ChangesValuesAndGradientsAsAnExplicitGraphDoes)
{
    torch::manual_seed(1);
    const torch::Tensor images = torch::randn({6, 2, 5, 4});
    const torch::Tensor features = torch::randn({6, 7});
    struct Layer
    {
        Shape shape;
        torch::Tensor input;
        torch::Tensor weight;
    };
    const Layer layers[] = {{{3, 5, 4}, images, torch::randn({3, 2, 3, 3})},
                            {{8}, features, torch::randn({8, 7})}};
    int struck = 0;
    for (const Layer& layer : layers)
    {
        for (const Geometry geometry : {Geometry::block, Geometry::single, Geometry::line, Geometry::random})
        {
            for (const auto& [factor, shift] : {std::pair{1.0, 2.5}, std::pair{-0.25, 0.0}})
            {
                RandomStream random(1, RandomPurpose::test, static_cast<std::uint64_t>(geometry));
                TrainingFault fault;
                fault.images = {4, 6, 7, 9, 12};  // of a batch whose images 4 to 9 are here
                fault.region = draw_region(geometry, layer.shape, 0.5, random);
                fault.factor = factor;
                fault.shift = shift;
                const torch::Tensor mask = mask_of(fault, layer.shape, 4, 6);
                struck += mask.sum().item<int>();

                const auto forward = [&](const torch::Tensor& weight) {
                    return layer.shape.size() == 3 ? torch::conv2d(layer.input, weight, {}, 1, 1)
                                                   : torch::linear(layer.input, weight);
                };
                const torch::Tensor weight = layer.weight.clone().set_requires_grad(true);
                const torch::Tensor value = forward(weight);
                apply_fault(value, fault, 4);
                torch::relu(value).pow(2).sum().backward();

                const torch::Tensor plain_weight = layer.weight.clone().set_requires_grad(true);
                const torch::Tensor expected =
                    forward(plain_weight) * (1 + (factor - 1) * mask) + shift * mask;
                torch::relu(expected).pow(2).sum().backward();

                EXPECT_LT(largest_difference(value, expected), 1e-5) << to_string(geometry);
                EXPECT_LT(largest_difference(weight.grad(), plain_weight.grad()),
                          1e-5 * plain_weight.grad().abs().max().item<double>())
                    << to_string(geometry) << " " << factor;
            }
        }
    }
    EXPECT_GT(struck, 50);
}

TEST(SyncBatchNorm, IsOneRanksBatchNorm)
{
    torch::manual_seed(2);
    for (const bool is_map : {true, false})
    {
        const torch::Tensor batch =
            is_map ? 3 + 2 * torch::randn({7, 4, 3, 5}) : 3 + 2 * torch::randn({7, 4});
        const torch::Tensor cotangent = torch::randn_like(batch);
        const torch::Tensor weight = torch::tensor({1.F, -2.F, 0.5F, 3.F}).set_requires_grad(true);
        const torch::Tensor bias = torch::tensor({0.F, 1.F, 2.F, -1.F}).set_requires_grad(true);
        const torch::Tensor running_mean = torch::full({4}, 0.5F);
        const torch::Tensor running_var = torch::full({4}, 2.F);
        const torch::Tensor input = batch.clone().set_requires_grad(true);
        const torch::Tensor expected =
            torch::batch_norm(input, weight, bias, running_mean, running_var, true, 0.1, 1e-5, false);
        (expected * cotangent).sum().backward();

        for (const int size : {1, 2, 4, 8})  // 8 ranks for 7 images: one has none
        {
            torch::Tensor outputs = torch::zeros_like(batch);
            torch::Tensor gradients = torch::zeros_like(batch);
            torch::Tensor weight_gradient = torch::zeros({4});
            torch::Tensor bias_gradient = torch::zeros({4});
            std::mutex guard;
            on_threads(size, [&](TrainingRanks& ranks) {
                const std::int64_t begin = 7 * ranks.rank() / size;
                const std::int64_t length = 7 * (ranks.rank() + 1) / size - begin;
                const torch::Tensor part = batch.narrow(0, begin, length).clone().set_requires_grad(true);
                const torch::Tensor w = weight.detach().clone().set_requires_grad(true);
                const torch::Tensor b = bias.detach().clone().set_requires_grad(true);
                const torch::Tensor mean = torch::full({4}, 0.5F);
                const torch::Tensor var = torch::full({4}, 2.F);
                const torch::Tensor out = sync_batch_norm(part, w, b, mean, var, 0.1, 1e-5, ranks);
                (out * cotangent.narrow(0, begin, length)).sum().backward();
                const std::lock_guard<std::mutex> lock(guard);
                outputs.narrow(0, begin, length).copy_(out.detach());
                gradients.narrow(0, begin, length).copy_(part.grad());
                weight_gradient += w.grad();
                bias_gradient += b.grad();
                EXPECT_LT(largest_difference(mean, running_mean), 1e-6);
                EXPECT_LT(largest_difference(var, running_var), 1e-5);
            });
            EXPECT_LT(largest_difference(outputs, expected.detach()), 1e-5) << size;
            EXPECT_LT(largest_difference(gradients, input.grad()), 1e-5) << size;
            EXPECT_LT(largest_difference(weight_gradient, weight.grad()), 1e-4) << size;
            EXPECT_LT(largest_difference(bias_gradient, bias.grad()), 1e-4) << size;
        }
    }
    EXPECT_THROW(
        on_threads(2,
                   [](TrainingRanks& ranks) {
                       const torch::Tensor one = torch::ones({ranks.rank(), 4});
                       const torch::Tensor c = torch::ones({4});
                       static_cast<void>(sync_batch_norm(one, c, c, c.clone(), c.clone(), 0.1, 1e-5, ranks));
                   }),
        DataError);
}

}  // namespace
}  // namespace flipstorm
