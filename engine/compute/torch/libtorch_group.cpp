#include "engine/compute/torch/libtorch_group.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace flipstorm
{
namespace
{

/// A tensor of floats as the host reads it; null if it is not defined.
struct OnHost
{
    torch::Tensor values;

    explicit OnHost(const torch::Tensor& tensor)
        : values(tensor.defined() ? tensor.to(torch::kCPU).contiguous() : tensor)
    {}

    /// From the k-th of equal parts on.
    [[nodiscard]] const float* part(std::int64_t k) const
    {
        return values.defined() ? values.data_ptr<float>() + k * values.stride(0) : nullptr;
    }
};

}  // namespace

PairBatch PairBatch::range(std::int64_t first, std::int64_t count) const
{
    const auto part = [&](const torch::Tensor& t) { return t.defined() ? t.narrow(0, first, count) : t; };
    return {{pairs.begin() + first, pairs.begin() + first + count}, part(image), part(fault), part(change)};
}

PairBatch PairBatch::selected(const std::vector<std::int64_t>& rows) const
{
    const torch::Tensor taken = torch::tensor(rows, torch::kInt64).to(image.device());
    PairBatch some{
        {}, image.index_select(0, taken), fault.index_select(0, taken), change.index_select(0, taken)};
    for (const std::int64_t row : rows)
        some.pairs.push_back(pairs[static_cast<std::size_t>(row)]);
    return some;
}

void PairBatch::append(PairBatch other)
{
    if (pairs.empty())
    {
        *this = std::move(other);
        return;
    }
    pairs.insert(pairs.end(), other.pairs.begin(), other.pairs.end());
    image = torch::cat({image, other.image});
    fault = torch::cat({fault, other.fault});
    change = torch::cat({change, other.change});
}

LibtorchGroup::LibtorchGroup(const LibtorchBackend& backend, const InjectableLayer& layer,
                             const ChangeGroup& group, const LibtorchTile& golden, PairPolicy& policy)
    : backend_(backend),
      operations_(backend.operations()),
      program_(backend.program(layer)),
      layer_(layer),
      geometry_(backend.graph(), layer),
      group_(group),
      golden_(golden),
      policy_(policy),
      faults_(geometry_, group, backend.weights(layer), backend.executor().device()),
      batch_(backend.batch(program_)),
      waiting_(program_.segments.size()),
      spread_(backend.graph().nodes().size())
{
    for (const Segment& segment : program_.segments)
        has_products_ = has_products_ || segment.product;
    if (!policy_.screens()) return;
    std::vector<float> tau;
    for (std::int64_t image = 0; image < golden_.logits.size(0); ++image)
        tau.push_back(policy_.tau(image));
    tau_ = backend_.on_device(torch::tensor(tau));
}

/// First-order moves of the margins for unit changes of the group's weights. [tile, rivals, faults]
torch::Tensor LibtorchGroup::moves() const
{
    if (golden_.moves.defined())
        return golden_.moves.index_select(2, geometry_.conv ? faults_.weight : faults_.channel);
    const torch::Tensor taps = windows(golden_.input, *geometry_.conv);
    const std::int64_t at_once = backend_.moves_batch(geometry_, golden_.logits.size(0));
    std::vector<torch::Tensor> parts;
    for (std::int64_t first = 0; first < faults_.size(); first += at_once)
    {
        const std::int64_t count = std::min(at_once, faults_.size() - first);
        const auto part = [&](const torch::Tensor& t) { return t.narrow(0, first, count); };
        const torch::Tensor met = taps.index({torch::indexing::Slice(), part(faults_.input),
                                              part(faults_.row), part(faults_.column)})
                                      .flatten(2);
        const torch::Tensor gradients = golden_.layer_gradients.index_select(2, part(faults_.channel));
        parts.push_back((met.unsqueeze(1) * gradients).sum(3));
    }
    return torch::cat(parts, 2);
}

/// Have all pairs judged at the faulty layer. \returns those that are followed, image by image
std::vector<Pair> LibtorchGroup::measure()
{
    // Of a convolution the largest input that a weight meets, of a linear layer the one. [tile, faults]
    const OnHost met((geometry_.conv ? golden_.largest : golden_.input).index_select(1, faults_.element));
    const OnHost length(golden_.length.defined() ? golden_.length.index_select(1, faults_.element)
                                                 : torch::Tensor());
    // [tile, faults, rivals]
    const OnHost moved(policy_.screens() ? moves().transpose(1, 2) : torch::Tensor());
    std::vector<LayerMeasure> measures(group_.count);
    std::vector<Pair> followed;
    for (std::int64_t image = 0; image < golden_.logits.size(0); ++image)
    {
        measure_image(image, met.part(image), length.part(image), moved.part(image), measures);
        policy_.at_layer(image, measures.data(), measures.size());
        for (const LayerMeasure& measure : measures)
        {
            if (measure.follows) followed.push_back({measure.fault, image, measure.screened});
        }
    }
    return followed;
}

/// \param met, length  by fault; length may be null \param moves  [faults, rivals], or null
void LibtorchGroup::measure_image(std::int64_t image, const float* met, const float* length,
                                  const float* moves, std::vector<LayerMeasure>& measures) const
{
    for (std::size_t f = 0; f < group_.count; ++f)
    {
        LayerMeasure& measure = measures[f];
        measure = LayerMeasure{};
        measure.fault = f;
        const auto weight = static_cast<std::int64_t>(group_.changes[f].parameter);
        const std::int64_t channel = weight / geometry_.filter;
        const float delta = faults_.change[f];
        // A change that is not finite is not small, even where it meets zeros only.
        const bool dead = geometry_.conv && met[f] == 0;
        measure.size = std::fabs(geometry_.conv ? delta : met[f] * delta);
        measure.masked = measure.size == 0 || (dead && std::isfinite(delta));
        if (policy_.proves() && !dead)
            measure.proven = policy_.harmless_length(image, channel) / (geometry_.conv ? length[f] : 1);
        if (!policy_.screens() || dead) continue;
        const float spread = policy_.spread(layer_.node)[static_cast<std::size_t>(channel)];
        const float reach =
            policy_.reach(image, moves + static_cast<std::int64_t>(f) * golden_.margins.rivals);
        measure.small = std::min(policy_.tau(image) * spread / (geometry_.conv ? met[f] : 1), reach);
    }
}

/// Changes of the faulty channel. [pairs, 1, H, W]
torch::Tensor LibtorchGroup::start(const PairBatch& batch) const
{
    const torch::Tensor delta = faults_.delta.index_select(0, batch.fault);
    if (!geometry_.conv)
    {
        const torch::Tensor met =
            golden_.input.index({batch.image, faults_.element.index_select(0, batch.fault)});
        return (met * delta).view({-1, 1, 1, 1});
    }
    const Conv2dOp& op = *geometry_.conv;
    const torch::Tensor input = faults_.input.index_select(0, batch.fault);
    const torch::Tensor row = faults_.row.index_select(0, batch.fault);
    const torch::Tensor column = faults_.column.index_select(0, batch.fault);
    torch::Tensor change = windows(golden_.input, op).index({batch.image, input, row, column});
    change.mul_(delta.view({-1, 1, 1}));
    return change.unsqueeze(1);
}

/// From a segment's start to its end.
void LibtorchGroup::follow(std::size_t segment, PairBatch batch)
{
    const Segment& way = program_.segments[segment];
    if (segment == 0) batch.change = start(batch);
    if (faults_.any_huge || has_products_) leave_to_reference(way, batch);
    if (batch.size() == 0) return;
    macs_ += static_cast<double>(batch.size()) * operations_.macs(program_, way);
    torch::Tensor change = std::exchange(batch.change, torch::Tensor());
    batch.change = operations_.run(program_, way, std::move(change), index_of(batch), golden_.golden);
    if (segment + 1 == program_.segments.size())
        finish(batch);
    else
        arrive(segment + 1, check(way.end(), std::move(batch)));
}

/// Take out the pairs in which a sum of a segment may overflow, or a product cancel.
void LibtorchGroup::leave_to_reference(const Segment& way, PairBatch& batch)
{
    // On a GPU a convolution may add up transformed values (Winograd's), which are some times as large.
    const float room = backend_.executor().device().is_cuda() ? 16.0F : 1.0F;
    const float farthest = room * static_cast<float>(backend_.overflow().through(way.entry, way.nodes));
    // A NaN is neither small nor safe.
    const torch::Tensor largest = batch.change.flatten(1).abs().amax(1);
    const torch::Tensor huge = faults_.huge.index_select(0, batch.fault) | ~(largest < kLargeWeight);
    torch::Tensor overflows = huge & ~(largest < kSafeMagnitude / farthest);
    // Both factors may change, and cancel.
    if (way.product) overflows = overflows | ~(largest < kLargestFactor);
    overflows = overflows.to(torch::kCPU).contiguous();
    const bool* const gone = overflows.data_ptr<bool>();
    std::vector<std::int64_t> left;
    for (std::int64_t p = 0; p < batch.size(); ++p)
    {
        const Pair& pair = batch.pairs[static_cast<std::size_t>(p)];
        if (gone[p])
            policy_.may_overflow({pair, 0, {}});
        else
            left.push_back(p);
    }
    if (static_cast<std::int64_t>(left.size()) < batch.size()) batch = batch.selected(left);
}

/// Pairs at a checkpoint wait until they fill a batch.
void LibtorchGroup::arrive(std::size_t segment, PairBatch batch)
{
    if (batch.size() == 0) return;
    PairBatch& waiting = waiting_[segment];
    waiting.append(std::move(batch));
    while (waiting.size() >= batch_)
    {
        PairBatch full = waiting.range(0, batch_);
        waiting = waiting.size() > batch_ ? waiting.range(batch_, waiting.size() - batch_) : PairBatch{};
        follow(segment, std::move(full));
    }
}

/// Let go the pairs without any change, and those whose change is too small to matter from here on.
PairBatch LibtorchGroup::check(NodeId checkpoint, PairBatch batch)
{
    const bool alone = program_.alone[index(checkpoint)];
    const std::int64_t channels = alone ? 1 : operations_.forms()[index(checkpoint)].channels;
    // NaN stays NaN: neither zero nor small.
    const torch::Tensor magnitude = batch.change.reshape({batch.size(), channels, -1}).abs().amax(2);
    // One column says whether nothing is left; with a screen the others, what first_order() does.
    torch::Tensor columns = (magnitude == 0).all(1).to(torch::kFloat32).unsqueeze(1);
    if (policy_.screens()) columns = torch::cat({columns, first_order(checkpoint, batch, magnitude)}, 1);
    const OnHost measured(columns);
    std::vector<std::int64_t> left;
    for (std::int64_t p = 0; p < batch.size(); ++p)
    {
        Pair& pair = batch.pairs[static_cast<std::size_t>(p)];
        const float* const of_pair = measured.part(p);
        if (of_pair[0] != 0)
        {
            policy_.masked(pair);
            continue;
        }
        const bool small = policy_.screens() && !pair.screened && of_pair[1] != 0 &&
                           policy_.harmless(pair.image, of_pair + 2);
        if (!small || policy_.screened_later(pair)) left.push_back(p);
    }
    return static_cast<std::int64_t>(left.size()) == batch.size() ? std::move(batch) : batch.selected(left);
}

/// The channels' spread on the device, uploaded once.
const torch::Tensor& LibtorchGroup::spread_of(NodeId checkpoint)
{
    torch::Tensor& spread = spread_[index(checkpoint)];
    if (!spread.defined()) spread = backend_.on_device(torch::tensor(policy_.spread(checkpoint)));
    return spread;
}

/// Whether a change moves no value far, 0 or 1, and how far it moves the margins. [pairs, 1 + rivals]
torch::Tensor LibtorchGroup::first_order(NodeId checkpoint, const PairBatch& batch,
                                         const torch::Tensor& magnitude)
{
    const ValueForm& form = operations_.forms()[index(checkpoint)];
    const bool alone = program_.alone[index(checkpoint)];
    torch::Tensor spread = spread_of(checkpoint);
    torch::Tensor row = batch.image;
    std::vector<std::int64_t> shape = golden_.gradients[index(checkpoint)][0].sizes().vec();
    if (alone)
    {
        const torch::Tensor channel = index_of(batch).channel + program_.flow.shift[index(checkpoint)];
        spread = spread.index_select(0, channel).unsqueeze(1);
        row = row * form.channels + channel;
        shape = {-1, 1, form.height, form.width};
    }
    const torch::Tensor limit = tau_.index_select(0, batch.image).unsqueeze(1) * spread;
    std::vector<torch::Tensor> measured{(magnitude < limit).all(1).to(torch::kFloat32)};
    for (const torch::Tensor& gradient : golden_.gradients[index(checkpoint)])
        measured.push_back(gradient.view(shape).index_select(0, row).mul_(batch.change).flatten(1).sum(1));
    return torch::stack(measured, 1);
}

/// The logits of pairs that came to the end.
void LibtorchGroup::finish(const PairBatch& batch)
{
    const NodeId output = backend_.graph().output();
    const OnHost logits(golden_.logits.index_select(0, batch.image) +
                        operations_.dense(program_, output, batch.change, index_of(batch)));
    for (std::int64_t p = 0; p < batch.size(); ++p)
        policy_.at_logits(batch.pairs[static_cast<std::size_t>(p)], logits.part(p));
}

double LibtorchGroup::run()
{
    const std::vector<Pair> pairs = measure();
    for (std::size_t first = 0; first < pairs.size(); first += static_cast<std::size_t>(batch_))
    {
        const std::size_t end = std::min(pairs.size(), first + static_cast<std::size_t>(batch_));
        PairBatch batch;
        std::vector<std::int64_t> image;
        std::vector<std::int64_t> fault;
        for (std::size_t p = first; p < end; ++p)
        {
            batch.pairs.push_back(pairs[p]);
            image.push_back(pairs[p].image);
            fault.push_back(static_cast<std::int64_t>(pairs[p].fault));
        }
        batch.image = backend_.on_device(torch::tensor(image, torch::kInt64));
        batch.fault = backend_.on_device(torch::tensor(fault, torch::kInt64));
        follow(0, std::move(batch));
    }
    for (std::size_t segment = 1; segment < waiting_.size(); ++segment)
    {
        if (waiting_[segment].size() > 0) follow(segment, std::exchange(waiting_[segment], PairBatch{}));
    }
    return macs_;
}

}  // namespace flipstorm
