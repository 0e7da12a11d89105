#include "engine/evaluate/libtorch_group.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/evaluate/audit.hpp"

namespace flipstorm
{

/// What is counted of each fault's pairs.
enum LibtorchGroup::Column : std::size_t
{
    kMasked,
    kProven,
    kScreened,     ///< at the faulty layer
    kRescreened,   ///< further on
    kAuditMasked,  ///< audited, the change came out as zero
    kAuditFinished,
    kDisagreements,
    kFinished,
    kCorrect,  ///< right under the fault minus right in the golden pass
    kMismatches,
    kNonfinite,
    kColumns
};

LibtorchGroup::LibtorchGroup(const LibtorchEvaluator& evaluator, const InjectableLayer& layer,
                             const Screen* screen, const ChangeGroup& group, const Tile& tile,
                             const LibtorchTile& golden)
    : evaluator_(evaluator),
      operations_(evaluator.operations()),
      program_(evaluator.program(layer)),
      layer_(layer),
      geometry_(evaluator.graph(), layer),
      screen_(screen != nullptr && std::isfinite(screen->kappa) && golden.margins.defined() ? screen
                                                                                            : nullptr),
      group_(group),
      tile_(tile),
      golden_(golden),
      batch_(evaluator.batch(program_)),
      waiting_(program_.segments.size())
{
    for (const Segment& segment : program_.segments)
        has_products_ = has_products_ || segment.product;
}

/// The group's faults as tensors on the device.
void LibtorchGroup::upload()
{
    const std::vector<float>& weights = evaluator_.weights(layer_);
    const auto faults = static_cast<std::int64_t>(group_.count);
    const std::int64_t kernel = geometry_.conv ? geometry_.conv->kernel : 1;
    torch::Tensor numbers = torch::empty({6, faults}, torch::kInt64);
    torch::Tensor delta = torch::empty({faults}, torch::kFloat32);
    auto* number = numbers.data_ptr<std::int64_t>();
    auto* difference = delta.data_ptr<float>();
    for (std::int64_t f = 0; f < faults; ++f)
    {
        const WeightChange& change = group_.changes[f];
        const auto weight = static_cast<std::int64_t>(change.parameter);
        const std::int64_t channel = weight / geometry_.filter;
        std::int64_t element = weight % geometry_.filter;
        if (geometry_.conv)
            element += channel / (geometry_.outputs / geometry_.conv->groups) * geometry_.filter;
        number[f] = weight;
        number[faults + f] = channel;
        number[2 * faults + f] = element;
        number[3 * faults + f] = element / (kernel * kernel);
        number[4 * faults + f] = element / kernel % kernel;
        number[5 * faults + f] = element % kernel;
        difference[f] = change.value - weights[change.parameter];
        any_huge_ = any_huge_ || is_huge(difference[f]);
    }
    const torch::Tensor uploaded = evaluator_.on_device(numbers);
    weight_ = uploaded.select(0, 0);
    channel_ = uploaded.select(0, 1);
    element_ = uploaded.select(0, 2);
    input_ = uploaded.select(0, 3);
    row_ = uploaded.select(0, 4);
    column_ = uploaded.select(0, 5);
    delta_ = evaluator_.on_device(delta);
    huge_ = ~(delta_.abs() < kLargeWeight);
    if (screen_ != nullptr)
    {
        std::vector<char> chosen = choose_audits(evaluator_.seed(), screen_->audit_share, group_.changes,
                                                 group_.count, tile_.first, tile_.size());
        audited_ = evaluator_.on_device(
            torch::from_blob(chosen.data(), {tile_.size(), faults}, torch::kUInt8).to(torch::kBool));
    }
    counts_ =
        torch::zeros({static_cast<std::int64_t>(kColumns), faults}, numbers.options()).to(delta_.device());
}

/// reach_of() of the group's weights. [tile, faults]
torch::Tensor LibtorchGroup::reach() const
{
    if (golden_.reach.defined()) return golden_.reach.index_select(1, geometry_.conv ? weight_ : channel_);
    const Conv2dOp& op = *geometry_.conv;
    const torch::Tensor taps = windows(golden_.input, op);
    const std::int64_t at_once = evaluator_.moves_batch(geometry_, tile_.size());
    std::vector<torch::Tensor> parts;
    for (std::int64_t first = 0; first < delta_.size(0); first += at_once)
    {
        const std::int64_t count = std::min(at_once, delta_.size(0) - first);
        const auto part = [&](const torch::Tensor& t) { return t.narrow(0, first, count); };
        const torch::Tensor met =
            taps.index({torch::indexing::Slice(), part(input_), part(row_), part(column_)}).flatten(2);
        const torch::Tensor gradients = golden_.layer_gradients.index_select(2, part(channel_));
        parts.push_back(reach_of((met.unsqueeze(1) * gradients).sum(3), golden_.margins, golden_.rest));
    }
    return torch::cat(parts, 1);
}

/// Judge all pairs at the faulty layer. \returns which ones go on, [tile, faults]
torch::Tensor LibtorchGroup::unfinished()
{
    torch::Tensor size;    // of the change that the screen judges
    torch::Tensor masked;  // and other pairs that are done; [tile, faults]
    torch::Tensor limit;   // the largest size that changes outputs little
    torch::Tensor spread;  // [tile, faults]
    if (screen_ != nullptr)
        spread = tau().unsqueeze(1) * evaluator_.spread(layer_.node).index_select(0, channel_);
    if (geometry_.conv)
    {
        const torch::Tensor largest = golden_.largest.index_select(1, element_);
        const torch::Tensor dead = largest == 0;
        masked = (dead & torch::isfinite(delta_)) | (delta_ == 0);
        size = delta_.abs();
        // A change that is not finite is not small, even where it meets zeros only.
        if (screen_ != nullptr) limit = torch::where(dead, torch::zeros_like(largest), spread / largest);
    }
    else
    {
        size = (golden_.input.index_select(1, element_) * delta_).abs();
        masked = size == 0;
        limit = spread;
    }
    counts_.select(0, kMasked).add_(masked.sum(0));
    if (evaluator_.gains(layer_).defined())
    {
        // The longest change that provably cannot matter.
        torch::Tensor harmless =
            golden_.certain.unsqueeze(1) / evaluator_.gains(layer_).index_select(0, channel_);
        if (geometry_.conv) harmless = harmless / golden_.length.index_select(1, element_);
        const torch::Tensor proven = (size < harmless) & ~masked;
        counts_.select(0, kProven).add_(proven.sum(0));
        masked = masked | proven;
    }
    if (screen_ == nullptr) return ~masked;
    limit = torch::minimum(limit, reach() / static_cast<float>(screen_->kappa));
    const torch::Tensor screened = (size < limit) & ~masked;
    counts_.select(0, kScreened).add_(screened.sum(0));
    screened_ = screened;
    return ~masked & (~screened | audited_);
}

/// Changes of the faulty channel. [pairs, 1, H, W]
torch::Tensor LibtorchGroup::start(const PairBatch& pairs) const
{
    const torch::Tensor delta = delta_.index_select(0, pairs.fault);
    if (!geometry_.conv)
    {
        const torch::Tensor met = golden_.input.index({pairs.image, element_.index_select(0, pairs.fault)});
        return (met * delta).view({-1, 1, 1, 1});
    }
    const Conv2dOp& op = *geometry_.conv;
    const torch::Tensor input = input_.index_select(0, pairs.fault);
    const torch::Tensor row = row_.index_select(0, pairs.fault);
    const torch::Tensor column = column_.index_select(0, pairs.fault);
    torch::Tensor change = windows(golden_.input, op).index({pairs.image, input, row, column});
    change.mul_(delta.view({-1, 1, 1}));
    return change.unsqueeze(1);
}

/// From a segment's start to its end.
void LibtorchGroup::follow(std::size_t segment, PairBatch pairs)
{
    const Segment& way = program_.segments[segment];
    if (segment == 0) pairs.change = start(pairs);
    if (any_huge_ || has_products_) leave_to_reference(way, pairs);
    if (pairs.size() == 0) return;
    work_.macs += static_cast<double>(pairs.size()) * operations_.macs(program_, way);
    torch::Tensor change = std::exchange(pairs.change, torch::Tensor());
    pairs.change = operations_.run(program_, way, std::move(change), index_of(pairs), golden_.golden);
    if (segment + 1 == program_.segments.size())
        finish(pairs);
    else
        arrive(segment + 1, check(way.end(), std::move(pairs)));
}

/// Take out the pairs in which a sum of a segment may overflow, or a product cancel.
void LibtorchGroup::leave_to_reference(const Segment& way, PairBatch& pairs)
{
    // On a GPU a convolution may add up transformed values (Winograd's), which are some times as large.
    const float room = evaluator_.executor().device().is_cuda() ? 16.0F : 1.0F;
    const float farthest = room * static_cast<float>(evaluator_.overflow().through(way.entry, way.nodes));
    // A NaN is neither small nor safe.
    const torch::Tensor largest = pairs.change.flatten(1).abs().amax(1);
    const torch::Tensor huge = huge_.index_select(0, pairs.fault) | ~(largest < kLargeWeight);
    torch::Tensor overflows = huge & ~(largest < kSafeMagnitude / farthest);
    // Both factors may change, and cancel.
    if (way.product) overflows = overflows | ~(largest < kLargestFactor);
    const torch::Tensor gone = overflows.nonzero().squeeze(1);
    if (gone.size(0) == 0) return;
    const torch::Tensor faults = pairs.fault.index_select(0, gone).to(torch::kCPU);
    const torch::Tensor images = pairs.image.index_select(0, gone).to(torch::kCPU);
    count(kFinished, pairs.fault, overflows);
    for (std::int64_t k = 0; k < gone.size(0); ++k)
    {
        overflowing_.push_back({static_cast<std::size_t>(faults.data_ptr<std::int64_t>()[k]),
                                images.data_ptr<std::int64_t>()[k],
                                0,
                                {}});
    }
    pairs = pairs.selected((~overflows).nonzero().squeeze(1));
}

/// Pairs at a checkpoint wait until they fill a batch.
void LibtorchGroup::arrive(std::size_t segment, const PairBatch& pairs)
{
    if (pairs.size() == 0) return;
    PairBatch& waiting = waiting_[segment];
    waiting.append(pairs);
    while (waiting.size() >= batch_)
    {
        PairBatch batch = waiting.range(0, batch_);
        waiting = waiting.size() > batch_ ? waiting.range(batch_, waiting.size() - batch_) : PairBatch{};
        follow(segment, std::move(batch));
    }
}

/// Let go the pairs without any change, and those whose change is too small to matter from here on.
PairBatch LibtorchGroup::check(NodeId checkpoint, PairBatch pairs)
{
    const bool alone = program_.alone[index(checkpoint)];
    const std::int64_t channels = alone ? 1 : operations_.forms()[index(checkpoint)].channels;
    // NaN stays NaN: neither zero nor small.
    const torch::Tensor magnitude = pairs.change.reshape({pairs.size(), channels, -1}).abs().amax(2);
    const torch::Tensor masked = (magnitude == 0).all(1);
    count(kMasked, pairs.fault, masked);
    torch::Tensor leaves = masked;
    if (screen_ != nullptr)
    {
        count(kAuditMasked, pairs.fault, masked & pairs.screened);
        const torch::Tensor newly = small(checkpoint, pairs, magnitude) & ~masked & ~pairs.screened;
        count(kRescreened, pairs.fault, newly);
        leaves = masked | (newly & ~audited_.index({pairs.image, pairs.fault}));
        pairs.screened = pairs.screened | newly;
    }
    const torch::Tensor left = (~leaves).nonzero().squeeze(1);
    return left.size(0) == pairs.size() ? pairs : pairs.selected(left);
}

/// Whether a change moves, to first order, no margin past zero and no value far. [pairs]
torch::Tensor LibtorchGroup::small(NodeId checkpoint, const PairBatch& pairs,
                                   const torch::Tensor& magnitude) const
{
    const ValueForm& form = operations_.forms()[index(checkpoint)];
    const bool alone = program_.alone[index(checkpoint)];
    torch::Tensor spread = evaluator_.spread(checkpoint);
    torch::Tensor row = pairs.image;
    std::vector<std::int64_t> shape = golden_.gradients[index(checkpoint)][0].sizes().vec();
    if (alone)
    {
        const torch::Tensor channel = index_of(pairs).channel + program_.flow.shift[index(checkpoint)];
        spread = spread.index_select(0, channel).unsqueeze(1);
        row = row * form.channels + channel;
        shape = {-1, 1, form.height, form.width};
    }
    std::vector<torch::Tensor> moves;
    for (const torch::Tensor& gradient : golden_.gradients[index(checkpoint)])
    {
        moves.push_back(gradient.view(shape).index_select(0, row).mul_(pairs.change).flatten(1).sum(1));
    }
    const torch::Tensor limit = tau().index_select(0, pairs.image).unsqueeze(1) * spread;
    const torch::Tensor move = torch::stack(moves, 1).abs() * static_cast<float>(screen_->kappa);
    return (magnitude < limit).all(1) & (move < golden_.margins.index_select(0, pairs.image)).all(1) &
           (kOtherRivals * move.amax(1) < golden_.rest.index_select(0, pairs.image));
}

/// Judge the logits of pairs that came to the end, as judge() does.
void LibtorchGroup::finish(const PairBatch& pairs)
{
    const NodeId output = evaluator_.graph().output();
    const torch::Tensor logits = golden_.logits.index_select(0, pairs.image) +
                                 operations_.dense(program_, output, pairs.change, index_of(pairs));
    const torch::Tensor golden = golden_.top1.index_select(0, pairs.image);
    const torch::Tensor label = golden_.label.index_select(0, pairs.image);
    const torch::Tensor finite = torch::isfinite(logits).all(1);
    const torch::Tensor top1 = logits.argmax(1);  // the first of equal ones
    const torch::Tensor mismatch = ~(finite & (top1 == golden));
    count(kFinished, pairs.fault, torch::ones_like(finite));
    count(kMismatches, pairs.fault, mismatch);
    count(kNonfinite, pairs.fault, ~finite);
    count(kCorrect, pairs.fault, finite & (top1 == label));
    counts_.select(0, kCorrect).index_add_(0, pairs.fault, (golden == label).to(torch::kInt64), -1);
    if (screen_ == nullptr) return;
    count(kAuditFinished, pairs.fault, pairs.screened);
    count(kDisagreements, pairs.fault, pairs.screened & mismatch);
}

/// Fetch what was counted.
WorkCount LibtorchGroup::tallies()
{
    const torch::Tensor fetched = counts_.to(torch::kCPU);
    const auto faults = static_cast<std::int64_t>(group_.count);
    const Tally golden = golden_tally(tile_);
    for (std::int64_t f = 0; f < faults; ++f)
    {
        const auto of = [&](Column column) {
            return fetched.data_ptr<std::int64_t>()[static_cast<std::int64_t>(column) * faults + f];
        };
        Tally& tally = group_.tallies[f];
        tally += golden;
        tally.correct = static_cast<std::uint32_t>(tally.correct + of(kCorrect));
        tally.mismatches += static_cast<std::uint32_t>(of(kMismatches));
        tally.nonfinite += static_cast<std::uint32_t>(of(kNonfinite));
        ScreenTally& screen = group_.screens[f];
        screen.screened += static_cast<std::uint32_t>(of(kScreened) + of(kRescreened));
        screen.audited += static_cast<std::uint32_t>(of(kAuditMasked) + of(kAuditFinished));
        screen.disagreements += static_cast<std::uint32_t>(of(kDisagreements));
        work_.masked += static_cast<std::uint64_t>(of(kMasked));
        work_.proven += static_cast<std::uint64_t>(of(kProven));
        work_.screened += static_cast<std::uint64_t>(of(kScreened));
        work_.rescreened += static_cast<std::uint64_t>(of(kRescreened));
        work_.finished += static_cast<std::uint64_t>(of(kFinished));
        work_.audited += static_cast<std::uint64_t>(of(kAuditFinished));
    }
    work_.pairs = static_cast<std::uint64_t>(tile_.size()) * group_.count;
    return work_;
}

WorkCount LibtorchGroup::run()
{
    upload();
    const torch::Tensor pairs = unfinished().nonzero();
    for (std::int64_t first = 0; first < pairs.size(0); first += batch_)
    {
        const torch::Tensor part = pairs.narrow(0, first, std::min(batch_, pairs.size(0) - first));
        PairBatch batch{part.select(1, 0).contiguous(), part.select(1, 1).contiguous(), {}, {}};
        batch.screened = screen_ != nullptr ? screened_.index({batch.image, batch.fault})
                                            : torch::zeros_like(batch.image, torch::kBool);
        follow(0, std::move(batch));
    }
    for (std::size_t segment = 1; segment < waiting_.size(); ++segment)
    {
        if (waiting_[segment].size() > 0) follow(segment, std::exchange(waiting_[segment], PairBatch{}));
    }
    WorkCount work = tallies();
    work.macs += tally_as_reference(evaluator_.executor(), layer_, group_, tile_, evaluator_.weights(layer_),
                                    overflowing_);
    return work;
}

}  // namespace flipstorm
