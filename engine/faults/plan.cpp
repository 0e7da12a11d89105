#include "engine/faults/plan.hpp"

#include "engine/faults/listed_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <tuple>

#include "engine/base/error.hpp"
#include "engine/base/philox.hpp"
#include "engine/base/sha256.hpp"
#include "engine/faults/chunking.hpp"
#include "engine/faults/iterative.hpp"

namespace flipstorm
{
namespace
{

constexpr std::uint64_t kSmallestStep = 16;
constexpr std::uint64_t kSmallestGuidedStep = 2;
constexpr std::uint64_t kLeastGuided =
    4;  // of a guided budget for each stratum: a pilot, two in the last round
constexpr std::uint64_t kPilotShare = 8;   // of a guided budget: an eighth of it
constexpr std::uint64_t kGuidedShare = 5;  // a guided budget: a fifth of the layer-wise sample
constexpr std::uint64_t kStepShare = 8;
constexpr std::uint64_t kLargestChunk = 2048;

/// Faults of a layer: all, or those of one bit.
std::uint64_t faults_of(const InjectableLayer& layer, UpsetModel upset, std::int32_t bit)
{
    return layer.weights * (bit < 0 ? faults_of_word(upset, layer.word_bits) : faults_of_bit(upset, bit));
}

/// The layers that are to be injected.
std::vector<InjectableLayer> chosen_layers(const std::vector<InjectableLayer>& layers,
                                           const std::vector<std::string>& names)
{
    if (names.empty()) return layers;
    std::vector<InjectableLayer> chosen;
    for (const InjectableLayer& layer : layers)
    {
        if (std::find(names.begin(), names.end(), layer.name) != names.end()) chosen.push_back(layer);
    }
    for (const std::string& name : names)
    {
        const bool known = std::any_of(layers.begin(), layers.end(),
                                       [&name](const InjectableLayer& layer) { return layer.name == name; });
        if (known) continue;
        std::string all;
        for (const InjectableLayer& layer : layers)
            all += (all.empty() ? "" : ", ") + layer.name;
        throw JobError("campaign.layers: the network has no layer '{}' to inject; it has: {}", name, all);
    }
    return chosen;
}

/// Faults that are sampled together within a layer.
struct Part
{
    std::int32_t bit = -1;        ///< −1: all
    std::int32_t direction = -1;  ///< what the bit holds; −1: either
};

const BitValueIndex& bit_values(const PlanOptions& options, const InjectableLayer& layer)
{
    return *options.bit_values.at(static_cast<std::size_t>(layer.id.value()));
}

/// The excluded faults by layer and part, numbered within the part.
class ExcludedNumbers
{
  public:
    explicit ExcludedNumbers(const PlanOptions& options) : options_(options) {}

    /// Of a part of a layer, ascending.
    [[nodiscard]] const std::vector<std::uint64_t>& of(const InjectableLayer& layer, Part part)
    {
        static const std::vector<std::uint64_t> none;
        const auto id = static_cast<std::size_t>(layer.id.value());
        if (id >= options_.excluded.size() || options_.excluded[id].empty()) return none;
        const bool by_bit = part.bit >= 0;
        const bool by_direction = part.direction >= 0;
        if (done_.emplace(id, by_bit, by_direction).second) number(layer, by_bit, by_direction);
        const auto found = numbers_.find({id, part.bit, part.direction});
        return found != numbers_.end() ? found->second : none;
    }

  private:
    /// All parts of one kind of a layer, in one pass.
    void number(const InjectableLayer& layer, bool by_bit, bool by_direction)
    {
        const UpsetModel upset = options_.upset;
        const auto id = static_cast<std::size_t>(layer.id.value());
        std::set<Key> mine;
        for (const PlacedFault& fault : options_.excluded[id])
        {
            Part part;
            if (by_bit) part.bit = highest_bit(fault.word.mask);
            std::uint64_t number = 0;
            if (by_direction)
            {
                const BitValueIndex& values = bit_values(options_, layer);
                const bool held = values.value(part.bit, fault.parameter);
                part.direction = held ? 1 : 0;
                number = values.number(part.bit, held, fault.parameter);
            }
            else
            {
                const std::uint64_t of_word = by_bit
                                                  ? index_of_fault_of_bit(upset, layer.word_bits, fault.word)
                                                  : index_of_fault(upset, layer.word_bits, fault.word);
                number = fault.parameter * (faults_of(layer, upset, part.bit) / layer.weights) + of_word;
            }
            FS_REQUIRE(number < faults_of(layer, upset, part.bit),
                       "an excluded fault of layer '{}' is none of its faults", layer.name);
            numbers_[{id, part.bit, part.direction}].push_back(number);
            mine.insert({id, part.bit, part.direction});
        }
        for (const Key& key : mine)
        {
            std::vector<std::uint64_t>& list = numbers_[key];
            std::sort(list.begin(), list.end());
            list.erase(std::unique(list.begin(), list.end()), list.end());
        }
    }

    using Key = std::tuple<std::size_t, std::int32_t, std::int32_t>;  ///< layer id, bit, direction
    const PlanOptions& options_;
    std::map<Key, std::vector<std::uint64_t>> numbers_;
    std::set<std::tuple<std::size_t, bool, bool>> done_;
};

/// SHA-256 of the excluded faults of all layers; empty if there are none.
std::string digest_of_excluded(const std::vector<InjectableLayer>& layers, ExcludedNumbers& excluded)
{
    Sha256 hash;
    bool any = false;
    for (const InjectableLayer& layer : layers)
    {
        const std::vector<std::uint64_t>& numbers = excluded.of(layer, {});
        any = any || !numbers.empty();
        hash.update(fmt::format("{} {}\n", layer.id.value(), numbers.size()));
        hash.update(numbers.data(), numbers.size() * sizeof(std::uint64_t));
    }
    return any ? hash.hex() : std::string();
}

/// The number, counted with the excluded ones, of fault `k` of those that are not.
std::uint64_t number_with_excluded(const std::vector<std::uint64_t>& excluded, std::uint64_t k)
{
    // excluded[i] − i of the others lie before it.
    std::size_t before = 0;
    std::size_t end = excluded.size();
    while (before < end)
    {
        const std::size_t middle = before + (end - before) / 2;
        if (excluded[middle] - middle <= k)
            before = middle + 1;
        else
            end = middle;
    }
    return k + before;
}

/// Faults of a part of a layer that are not excluded.
std::uint64_t population_of(const PlanOptions& options, const InjectableLayer& layer, Part part,
                            ExcludedNumbers& excluded)
{
    const std::uint64_t all = part.direction < 0
                                  ? faults_of(layer, options.upset, part.bit)
                                  : bit_values(options, layer).count(part.bit, part.direction == 1);
    return all - excluded.of(layer, part).size();
}

std::vector<Stratum> make_strata(const std::vector<InjectableLayer>& layers, const PlanOptions& options)
{
    std::vector<Stratum> strata;
    ExcludedNumbers excluded(options);
    if (options.scheme == Scheme::network_wise)
    {
        Stratum all;
        for (const InjectableLayer& layer : layers)
            all.population += population_of(options, layer, {}, excluded);
        if (all.population == 0) return {};
        return {all};
    }
    for (const InjectableLayer& layer : layers)
    {
        if (options.scheme == Scheme::layer_wise)
        {
            const std::uint64_t population = population_of(options, layer, {}, excluded);
            if (population > 0) strata.push_back({layer.id.value(), -1, population, 0, 0});
            continue;
        }
        const bool guided = options.scheme == Scheme::guided;
        for (std::int32_t bit = 0; bit < layer.word_bits; ++bit)
        {
            for (std::int32_t direction = guided ? 0 : -1; direction < (guided ? 2 : 0); ++direction)
            {
                const std::uint64_t population = population_of(options, layer, {bit, direction}, excluded);
                if (population > 0) strata.push_back({layer.id.value(), bit, population, 0, 0, direction});
            }
        }
    }
    return strata;
}

/// Number of `draws` without replacement that fall on each part of a population.
std::vector<std::uint64_t> allocate(std::vector<std::uint64_t> parts, std::uint64_t draws, std::uint64_t seed,
                                    std::uint64_t stream)
{
    std::vector<std::uint64_t> counts(parts.size(), 0);
    if (parts.size() == 1)
    {
        counts[0] = draws;
        return counts;
    }
    std::uint64_t left = std::accumulate(parts.begin(), parts.end(), std::uint64_t{0});
    if (draws == left) return parts;
    RandomStream random(seed, RandomPurpose::allocation, stream);
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
    if (name == "data_aware") return Scheme::data_aware;
    if (name == "iterative") return Scheme::iterative;
    if (name == "guided") return Scheme::guided;
    throw JobError(
        "campaign.scheme: '{}' is not known; it is one of: network_wise, layer_wise, data_unaware, "
        "data_aware, iterative, guided",
        name);
}

std::vector<Stratum> planned_strata(const std::vector<InjectableLayer>& layers, const PlanOptions& options)
{
    FS_CHECK(DataError, !layers.empty(), "the network has no convolution or linear layer to inject");
    if (!options.listed.empty()) return listed_strata(options);
    const std::vector<InjectableLayer> chosen = chosen_layers(layers, options.layers);
    for (const InjectableLayer& layer : chosen)
    {
        FS_CHECK(JobError, faults_of_word(options.upset, layer.word_bits) > 0,
                 "campaign.upset_bits is {}, but the words of layer '{}' have {} bits", options.upset.bits,
                 layer.name, layer.word_bits);
    }
    std::vector<Stratum> strata = make_strata(chosen, options);
    FS_CHECK(JobError, !strata.empty(), "campaign.exclude leaves no fault of the network to inject");
    for (Stratum& stratum : strata)
    {
        Precision precision = options.precision;
        if (options.scheme == Scheme::data_aware)
        {
            precision.proportion = options.priors.at(static_cast<std::size_t>(stratum.layer))
                                       .at(static_cast<std::size_t>(stratum.bit));
        }
        stratum.planned =
            options.exhaustive ? stratum.population : sample_size(stratum.population, precision);
    }
    return strata;
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
    if (bit < 0 || options.followed_by_bit.empty()) return options.followed_share;
    const std::vector<double>& by_bit =
        options.followed_by_bit.at(static_cast<std::size_t>(layer.id.value()));
    const double products = static_cast<double>(layer.in_channels) * layer.kernel_elements;
    return std::min(by_bit.at(static_cast<std::size_t>(bit)) * std::max(1.0, kProducts / products),
                    *std::max_element(by_bit.begin(), by_bit.end()));
}

Plan::Plan(const std::vector<InjectableLayer>& layers, const PlanOptions& options)
    : upset_(options.upset),
      in_order_(options.exhaustive && options.limit == 0),
      iterative_(options.scheme == Scheme::iterative),
      strata_(planned_strata(layers, options)),
      batches_(layers.size(), 1)
{
    if (options.scheme == Scheme::guided)
        share_out_budget(layers, options);
    else
        share_out_sample(options);
    if (options.listed.empty())
        add_draws(layers, options);
    else
        add_listed(layers, options);
    add_chunks(layers, options);
}

void Plan::share_out_sample(const PlanOptions& options)
{
    std::vector<std::uint64_t> wanted;
    for (const Stratum& stratum : strata_)
        wanted.push_back(stratum.planned);
    FS_CHECK(JobError, options.limit == 0 || options.limit >= strata_.size(),
             "a limit of {} faults is less than the {} strata of this scheme, each of which needs one; raise "
             "campaign.limit (verify.limit of a proof)",
             options.limit, strata_.size());
    const std::vector<std::uint64_t> drawn = options.limit > 0 ? spread_limit(wanted, options.limit) : wanted;
    for (std::size_t i = 0; i < strata_.size(); ++i)
    {
        Stratum& stratum = strata_[i];
        stratum.drawn = drawn[i];
        if (!iterative_) continue;
        const std::uint64_t pilot =
            options.pilot > 0 ? options.pilot : smallest_sample(stratum.population, options.precision);
        pilots_.push_back(std::min(pilot, stratum.drawn));
    }
}

void Plan::share_out_budget(const std::vector<InjectableLayer>& layers, const PlanOptions& options)
{
    FS_CHECK(JobError, options.upset.model == FaultModel::bit_flip,
             "campaign.scheme = \"guided\" is for campaign.fault_model = \"bit_flip\", not \"{}\"",
             to_string(options.upset.model));
    budget_ = options.limit > 0 ? options.limit : guided_budget(layers, options);
    const std::uint64_t least = kLeastGuided * strata_.size();
    FS_CHECK(JobError, options.limit == 0 || budget_ >= least,
             "campaign.limit = {} is too little for a guided campaign of {} strata; it needs {} faults",
             options.limit, strata_.size(), least);
    budget_ = std::max(budget_, least);
    const std::uint64_t pilot = options.pilot > 0
                                    ? options.pilot
                                    : std::max<std::uint64_t>(1, budget_ / kPilotShare / strata_.size());
    FS_CHECK(JobError, pilot <= budget_ / 2 / strata_.size(),
             "campaign.pilot = {} of each of {} strata is more than half of the {} faults of the campaign",
             pilot, strata_.size(), budget_);
    for (Stratum& stratum : strata_)
    {
        stratum.drawn = std::min(stratum.population, budget_);
        pilots_.push_back(std::min(pilot, stratum.drawn));
    }
}

std::uint64_t guided_budget(const std::vector<InjectableLayer>& layers, PlanOptions options)
{
    options.scheme = Scheme::layer_wise;
    std::uint64_t faults = 0;
    for (const Stratum& stratum : planned_strata(layers, options))
        faults += stratum.planned;
    return (faults + kGuidedShare - 1) / kGuidedShare;
}

std::uint64_t Plan::pilot(StratumId stratum) const
{
    FS_REQUIRE(iterative(), "a plan that is not iterative has no pilot");
    return pilots_.at(static_cast<std::size_t>(stratum.value()));
}

void Plan::add_draws(const std::vector<InjectableLayer>& layers, const PlanOptions& options)
{
    const std::vector<InjectableLayer> chosen = chosen_layers(layers, options.layers);
    ExcludedNumbers excluded(options);
    excluded_sha256_ = digest_of_excluded(layers, excluded);
    // What is drawn beside a sample must not follow from it, nor from what was drawn beside another.
    constexpr std::size_t kDigits = 16;
    const std::uint64_t beside =
        excluded_sha256_.empty() ? 0 : std::stoull(excluded_sha256_.substr(0, kDigits), nullptr, 16);
    for (std::size_t i = 0; i < strata_.size(); ++i)
    {
        const Stratum& stratum = strata_[i];
        const StratumId stratum_id(static_cast<std::int32_t>(i));
        std::vector<InjectableLayer> members;
        std::vector<std::uint64_t> parts;
        for (const InjectableLayer& layer : chosen)
        {
            if (stratum.layer >= 0 && stratum.layer != layer.id.value()) continue;
            members.push_back(layer);
            parts.push_back(population_of(options, layer, {stratum.bit, stratum.direction}, excluded));
        }
        const std::vector<std::uint64_t> counts =
            allocate(parts, stratum.drawn, options.seed, static_cast<std::uint64_t>(i) ^ beside);
        for (std::size_t m = 0; m < members.size(); ++m)
        {
            if (counts[m] == 0) continue;
            const std::uint64_t stream =
                beside ^ ((static_cast<std::uint64_t>(i) << 32U) | static_cast<std::uint64_t>(m));
            draws_.push_back({stratum_id, members[m].id, size_, counts[m], members[m].word_bits,
                              faults_of(members[m], upset_, stratum.bit) / members[m].weights,
                              KeyedPermutation(options.seed, RandomPurpose::sample, stream, parts[m]),
                              stratum.direction < 0
                                  ? nullptr
                                  : options.bit_values.at(static_cast<std::size_t>(members[m].id.value())),
                              nullptr, excluded.of(members[m], {stratum.bit, stratum.direction})});
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
        const std::size_t first_draw = d;
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
        const std::vector<ChunkCut> cuts = cut_into_chunks(load);
        std::uint64_t& batch = batches_[static_cast<std::size_t>(layer.id.value())];
        for (const ChunkCut& cut : cuts)
            batch = std::max(batch, cut.count);
        if (iterative())
        {
            for (std::size_t k = first_draw; k < d; ++k)
                add_steps(draws_[k], load.shared_macs, load.runs[k - first_draw].macs, batch);
            continue;
        }
        for (const ChunkCut& cut : cuts)
        {
            chunks_.push_back({layer.id, FaultIndex(first), cut.count, cut.macs});
            first += cut.count;
        }
    }
}

void Plan::add_steps(const Draw& draw, double shared_macs, double fault_macs, std::uint64_t batch)
{
    const double macs = fault_macs + shared_macs / static_cast<double>(batch);
    const std::uint64_t smallest = budget_ > 0 ? kSmallestGuidedStep : kSmallestStep;
    std::uint64_t size = pilot(draw.stratum);
    for (std::uint64_t done = 0; done < draw.count;)
    {
        const std::uint64_t here = std::min({size, draw.count - done, kLargestChunk});
        chunks_.push_back(
            {draw.layer, FaultIndex(draw.first + done), here, macs * static_cast<double>(here)});
        done += here;
        size =
            done < pilot(draw.stratum) ? pilot(draw.stratum) - done : std::max(smallest, done / kStepShare);
    }
}

WeightFault Plan::fault(FaultIndex index) const
{
    FS_REQUIRE(index.value() < size_, "fault {} of a plan of {}", index.value(), size_);
    const auto after =
        std::upper_bound(draws_.begin(), draws_.end(), index.value(),
                         [](std::uint64_t value, const Draw& draw) { return value < draw.first; });
    const Draw& draw = *std::prev(after);
    const std::uint64_t k = index.value() - draw.first;
    if (draw.listed != nullptr)
    {
        const PlacedFault& fault = (*draw.listed)[k];
        return {draw.stratum, draw.layer, fault.parameter, highest_bit(fault.word.mask), fault.word};
    }
    const std::uint64_t element = number_with_excluded(draw.excluded, in_order_ ? k : draw.permutation(k));
    const Stratum& stratum = strata_[static_cast<std::size_t>(draw.stratum.value())];
    const std::int32_t bit = stratum.bit;
    if (draw.bit_values != nullptr)
    {
        const std::uint64_t parameter = draw.bit_values->element(bit, stratum.direction == 1, element);
        return {draw.stratum, draw.layer, parameter, bit, bit_flip(bit)};
    }
    const std::uint64_t parameter = element / draw.faults_per_weight;
    const std::uint64_t of_weight = element % draw.faults_per_weight;
    const WordFault word =
        bit >= 0 ? word_fault_of_bit(upset_, bit, of_weight) : word_fault(upset_, draw.word_bits, of_weight);
    return {draw.stratum, draw.layer, parameter, bit >= 0 ? bit : highest_bit(word.mask), word};
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
