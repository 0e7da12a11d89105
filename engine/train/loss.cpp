#include "engine/train/loss.hpp"

#include "engine/base/error.hpp"

namespace flipstorm
{

Loss loss_from(std::string_view name)
{
    if (name == "cross_entropy") return Loss::cross_entropy;
    if (name == "bce") return Loss::bce;
    throw JobError("train.loss: '{}' is not known; this build has: cross_entropy, bce", name);
}

BatchNormScope batch_norm_scope_from(std::string_view name)
{
    if (name == "synchronised") return BatchNormScope::synchronised;
    if (name == "local") return BatchNormScope::local;
    throw JobError("train.batch_norm: '{}' is not known; this build has: synchronised, local", name);
}

torch::Tensor label_batch(const ImageSet& images, const std::vector<std::int64_t>& indices,
                          torch::Device device)
{
    torch::Tensor labels = torch::empty({static_cast<std::int64_t>(indices.size())}, torch::kLong);
    auto* out = labels.data_ptr<std::int64_t>();
    for (const std::int64_t index : indices)
        *out++ = images.labels[static_cast<std::size_t>(index)];
    return labels.to(device);
}

torch::Tensor mean_loss(Loss loss, const torch::Tensor& logits, const torch::Tensor& labels)
{
    if (loss == Loss::cross_entropy) return torch::nn::functional::cross_entropy(logits, labels);
    const torch::Tensor one_hot = torch::zeros_like(logits).scatter_(1, labels.unsqueeze(1), 1);
    return torch::binary_cross_entropy_with_logits(logits, one_hot);
}

}  // namespace flipstorm
