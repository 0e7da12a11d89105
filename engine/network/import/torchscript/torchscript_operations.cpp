#include "engine/network/import/torchscript/torchscript_operations.hpp"

#include <map>
#include <string>

namespace flipstorm::torchscript
{
namespace
{

/// Give a tensor a new value in place.
void overwrite(const Call& call, Tensor& target, const Tensor& value)
{
    if (target.aliases)
    {
        for (const std::weak_ptr<Tensor>& alias : *target.aliases)
        {
            const TensorRef other = alias.lock();
            if (other && other.get() != &target) other->overwritten = call.kind();
        }
    }
    target.node = value.node;
    target.shape = value.shape;
    target.product = value.product;
}

using Handler = Abstract (*)(GraphBuilder&, const Call&);

const std::map<std::string, Handler>& handlers()
{
    static const std::map<std::string, Handler> table = {
        {"aten::conv2d", convolution},
        {"aten::_convolution", convolution},
        {"aten::_convolution_mode", convolution},
        {"aten::convolution", convolution},
        {"aten::linear", linear},
        {"aten::addmm", addmm},
        {"aten::matmul", matmul},
        {"aten::mm", matmul},
        {"aten::batch_norm", batch_norm},
        {"aten::relu", relu},
        {"aten::relu6", relu6},
        {"aten::sigmoid", sigmoid},
        {"aten::silu", silu},
        {"aten::mul", multiply},
        {"aten::clamp", clamp},
        {"aten::clamp_min", clamp},
        {"aten::hardtanh", hardtanh},
        {"aten::max_pool2d", max_pool},
        {"aten::avg_pool2d", avg_pool},
        {"aten::adaptive_avg_pool2d", adaptive_avg_pool},
        {"aten::mean", mean},
        {"aten::add", add},
        {"aten::pad", pad},
        {"aten::constant_pad_nd", pad},
        {"aten::slice", slice},
        {"aten::cat", concat},
        {"aten::concat", concat},
        {"aten::flatten", flatten},
        {"aten::view", view},
        {"aten::reshape", view},
        {"aten::squeeze", squeeze},
        {"aten::unsqueeze", unsqueeze},
        {"aten::dropout", dropout},
        {"aten::feature_dropout", dropout},
        {"aten::alpha_dropout", dropout},
        {"aten::feature_alpha_dropout", dropout},
        {"aten::contiguous", alias},
        {"aten::detach", alias},
        {"aten::alias", alias},
        {"aten::clone", copy},
        {"aten::to", cast},
    };
    return table;
}

}  // namespace

std::optional<Abstract> apply_operation(GraphBuilder& graph, const Call& call)
{
    std::string kind = call.kind();
    const bool in_place = kind.size() > 1 && kind.back() == '_';
    if (in_place) kind.pop_back();
    const auto found = handlers().find(kind);
    if (found == handlers().end()) return {};
    Abstract result = found->second(graph, call);
    if (!in_place) return result;
    const auto* target = std::get_if<TensorRef>(&call.arguments().front());
    if (target == nullptr) call.refuse("it changes a tensor that is not a value of the network");
    const TensorRef value = std::get<TensorRef>(result);
    if (value != *target) overwrite(call, **target, *value);
    return *target;
}

}  // namespace flipstorm::torchscript
