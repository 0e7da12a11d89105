#include "engine/memory/tensor_kind.hpp"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/base/error.hpp"

namespace flipstorm
{

std::string to_string(TensorKind kind)
{
    switch (kind)
    {
        case TensorKind::weights:
            return "weights";
        case TensorKind::biases:
            return "biases";
        case TensorKind::batch_norm:
            return "batch_norm";
        case TensorKind::scales:
            return "scales";
    }
    throw Error("no kind of tensor is number {}", static_cast<int>(kind));
}

std::vector<std::string> tensor_kind_names()
{
    std::vector<std::string> names;
    for (const TensorKind kind :
         {TensorKind::weights, TensorKind::biases, TensorKind::batch_norm, TensorKind::scales})
        names.push_back(to_string(kind));
    return names;
}

TensorKind tensor_kind(std::string_view name)
{
    const std::vector<std::string> names = tensor_kind_names();
    const auto found = std::find(names.begin(), names.end(), name);
    FS_CHECK(JobError, found != names.end(), "campaign.parameters: '{}' is not known; it can be {}", name,
             fmt::join(names, ", "));
    return static_cast<TensorKind>(found - names.begin());
}

}  // namespace flipstorm
