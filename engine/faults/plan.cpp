#include "engine/faults/plan.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/faults/chunking.hpp"

namespace flipstorm
{
namespace
{

std::uint64_t bits_of(const InjectableLayer& layer)
{
    return layer.weights * static_cast<std::uint64_t>(layer.word_bits);
}

std::vector<Stratum> make_strata(const std::vector<InjectableLayer>& layers, Scheme scheme)
{
    std::vector<Stratum> strata;
    if (scheme == Scheme::network_wise)
    {
        Stratum all;
        for (const InjectableLayer& layer : layers)
            all.population += bits_of(layer);
        return {all};
    }
    for (const InjectableLayer& layer : layers)
    {
        if (scheme == Scheme::layer_wise)
        {
            strata.push_back({layer.id.value(), -1, bits_of(layer), 0, 0});
            continue;
        }
        for (std::int32_t bit = 0; bit < layer.word_bits; ++bit)
        {
            strata.push_back({layer.id.value(), bit, layer.weights, 0, 0});
        }
    }
    return strata;
}

/// Number of `draws` without replacement that fall on each part of a population.
std::vector<std::uint64_t> allocate(std::vector<std::uint64_t> parts, std::uint64_t draws, std::uint64_t seed,
                                    StratumId stratum)
{
    std::vector<std::uint64_t> counts(parts.size(), 0);
    if (parts.size() == 1)
    {
        counts[0] = draws;
        return counts;
    }
    std::uint64_t left = std::accumulate(parts.begin(), parts.end(), std::uint64_t{0});
    RandomStream random(seed, RandomPurpose::allocation, static_cast<std::uint64_t>(stratum.value()));
    for (std::uint64_t draw = 0; draw < draws; ++draw, --left)
    {
        std::uint64_t position = random.below(left);
        std::size_t part = 0;
        while (position >= parts[part])
            position -= parts[part++];
        --parts[part];
        ++counts[part];
    }
    return counts;
}

}  // namespace

Scheme scheme_from(std::string_view name)
{
    if (name == "network_wise") return Scheme::network_wise;
    if (name == "layer_wise") return Scheme::layer_wise;
    if (name == "data_unaware") return Scheme::data_unaware;
    throw JobError(
        "campaign.scheme: '{}' is not known; this build has: network_wise, layer_wise, data_unaware", name);
}

std::vector<std::uint64_t> spread_limit(const std::vector<std::uint64_t>& wanted, std::uint64_t limit)
{
    std::vector<std::size_t> by_size(wanted.size());
    std::iota(by_size.begin(), by_size.end(), std::size_t{0});
    std::stable_sort(by_size.begin(), by_size.end(),
                     [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
    // Smallest first: whoever wants less than an even share leaves the rest to the others.
    std::vector<std::uint64_t> given(wanted.size(), 0);
    std::uint64_t left = limit;
    std::size_t satisfied = 0;
    while (satisfied < by_size.size() && wanted[by_size[satisfied]] <= left / (by_size.size() - satisfied))
    {
        const std::size_t place = by_size[satisfied++];
        given[place] = wanted[place];
        left -= wanted[place];
    }
    std::vector<std::size_t> hungry(by_size.begin() + static_cast<std::ptrdiff_t>(satisfied), by_size.end());
    std::sort(hungry.begin(), hungry.end());
    for (std::size_t i = 0; i < hungry.size(); ++i)
    {
        given[hungry[i]] = left / hungry.size() + (i < left % hungry.size() ? 1 : 0);
    }
    return given;
}

double followed_share(const PlanOptions& options, const InjectableLayer& layer, std::int32_t bit)
{
    constexpr double kProducts = 576;
    const std::vector<double>& by_bit = options.followed_by_bit;
    if (bit < 0 || by_bit.empty()) return options.followed_share;
    const double products = static_cast<double>(layer.in_channels) * layer.kernel_elements;
    return std::min(by_bit.at(static_cast<std::size_t>(bit)) * std::max(1.0, kProducts / products),
                    *std::max_element(by_bit.begin(), by_bit.end()));
}

Plan::Plan(const std::vector<InjectableLayer>& layers, const PlanOptions& options)
    : strata_(make_strata(layers, options.scheme))
{
    FS_CHECK(DataError, !layers.empty(), "the network has no convolution or linear layer to inject");
    std::vector<std::uint64_t> wanted;
    for (Stratum& stratum : strata_)
    {
        stratum.planned = sample_size(stratum.population, options.precision);
        wanted.push_back(stratum.planned);
    }
    FS_CHECK(JobError, options.limit == 0 || options.limit >= strata_.size(),
             "campaign.limit = {} is less than the {} strata of this scheme; each needs a fault",
             options.limit, strata_.size());
    const std::vector<std::uint64_t> drawn = options.limit > 0 ? spread_limit(wanted, options.limit) : wanted;
    for (std::size_t i = 0; i < strata_.size(); ++i)
        strata_[i].drawn = drawn[i];
    add_draws(layers, options);
    add_chunks(layers, options);
}

void Plan::add_draws(const std::vector<InjectableLayer>& layers, const PlanOptions& options)
{
    for (std::size_t i = 0; i < strata_.size(); ++i)
    {
        const Stratum& stratum = strata_[i];
        const StratumId stratum_id(static_cast<std::int32_t>(i));
        std::vector<const InjectableLayer*> members;
        std::vector<std::uint64_t> parts;
        for (const InjectableLayer& layer : layers)
        {
            if (stratum.layer >= 0 && stratum.layer != layer.id.value()) continue;
            members.push_back(&layer);
            parts.push_back(stratum.bit < 0 ? bits_of(layer) : layer.weights);
        }
        const std::vector<std::uint64_t> counts = allocate(parts, stratum.drawn, options.seed, stratum_id);
        for (std::size_t m = 0; m < members.size(); ++m)
        {
            if (counts[m] == 0) continue;
            const std::uint64_t stream =
                (static_cast<std::uint64_t>(i) << 32U) | static_cast<std::uint64_t>(m);
            draws_.push_back({stratum_id, members[m]->id, size_, counts[m], members[m]->word_bits,
                              KeyedPermutation(options.seed, RandomPurpose::sample, stream, parts[m])});
            size_ += counts[m];
        }
    }
}

void Plan::add_chunks(const std::vector<InjectableLayer>& layers, const PlanOptions& options)
{
    const auto images = static_cast<double>(std::max<std::uint64_t>(options.images, 1));
    std::int64_t network_macs = 0;  // nearly: what lies behind the first layers' channels
    for (const InjectableLayer& layer : layers)
        network_macs = std::max(network_macs, layer.suffix_macs);
    // Draws that follow each other on one layer (the bits of a data-unaware scheme) share chunks.
    for (std::size_t d = 0; d < draws_.size();)
    {
        const InjectableLayer& layer = layers.at(static_cast<std::size_t>(draws_[d].layer.value()));
        LayerLoad load;
        load.shared_macs = options.shared_passes * static_cast<double>(network_macs) * images;
        load.weights = layer.weights;
        std::uint64_t first = draws_[d].first;
        for (; d < draws_.size() && draws_[d].layer == layer.id; ++d)
        {
            const std::int32_t bit = strata_[static_cast<std::size_t>(draws_[d].stratum.value())].bit;
            const double share = followed_share(options, layer, bit);
            load.runs.push_back(
                {draws_[d].count,
                 static_cast<double>(std::max<std::int64_t>(layer.suffix_macs, 1)) * images * share});
        }
        for (const ChunkCut& cut : cut_into_chunks(load))
        {
            chunks_.push_back({layer.id, FaultIndex(first), cut.count, cut.macs});
            first += cut.count;
        }
    }
}

WeightFault Plan::fault(FaultIndex index) const
{
    FS_REQUIRE(index.value() < size_, "fault {} of a plan of {}", index.value(), size_);
    const auto after =
        std::upper_bound(draws_.begin(), draws_.end(), index.value(),
                         [](std::uint64_t value, const Draw& draw) { return value < draw.first; });
    const Draw& draw = *std::prev(after);
    const std::uint64_t element = draw.permutation(index.value() - draw.first);
    const std::int32_t bit = strata_[static_cast<std::size_t>(draw.stratum.value())].bit;
    if (bit >= 0) return {draw.stratum, draw.layer, element, bit};
    const auto bits = static_cast<std::uint64_t>(draw.word_bits);
    return {draw.stratum, draw.layer, element / bits, static_cast<std::int32_t>(element % bits)};
}

std::vector<ChunkId> dearest_first(const Plan& plan)
{
    // Costs are estimates: within a factor of 1.4 it matters more that a rank stays with a layer.
    const auto level = [&](ChunkId id) { return std::floor(2 * std::log2(plan.chunks()[id.value()].macs)); };
    std::vector<ChunkId> order;
    for (std::size_t i = 0; i < plan.chunks().size(); ++i)
        order.emplace_back(i);
    std::stable_sort(order.begin(), order.end(), [&](ChunkId a, ChunkId b) { return level(a) > level(b); });
    return order;
}

}  // namespace flipstorm
