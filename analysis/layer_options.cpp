#include "analysis/layer_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/// Data bits that six check bits of Hamming's code, and seven of Hsiao's, are enough for.
constexpr int kFullCodeWord = 57;
/// Most bits of a word that are kept three times: their check bits are a word of 32 bits.
constexpr std::size_t kMostTripled = 16;
/// Most bits at the end of a word that are given up for check bits.
constexpr int kMostLowBits = 8;
/// Share of a layer's risk that is none.
constexpr double kNegligible = 1e-6;

std::uint32_t bit_mask(int bit)
{
    return std::uint32_t{1} << static_cast<unsigned>(bit);
}

int count(std::uint32_t mask)
{
    return static_cast<int>(std::bitset<32>(mask).count());
}

template<class Work>
void for_each_bit(std::uint32_t mask, Work&& work)
{
    for (int bit = 0; bit < 32; ++bit)
    {
        if ((mask & bit_mask(bit)) != 0) work(bit);
    }
}

double sum_of(const std::vector<double>& of_bit, std::uint32_t mask)
{
    double sum = 0;
    for_each_bit(mask, [&](int bit) { sum += of_bit[static_cast<std::size_t>(bit)]; });
    return sum;
}

/// Risk of upsets that hit two neighbours in memory which share a code word, for each upset that does.
double risk_of_neighbours(const std::vector<double>& of_bit, const LayerCode& code, double of_a_bit,
                          std::uint64_t weights)
{
    const CodeTraits& traits = code_traits(*code.code);
    // Each bit has check bits of its own, and neighbours do not meet.
    if (*code.code == CodeKind::triplication) return 0;
    double risk = 0;
    if (!code.interleaved)
    {
        for_each_bit(code.covered & (code.covered >> 1U),
                     [&](int bit) { risk += sum_of(of_bit, bit_mask(bit) | bit_mask(bit + 1)); });
        // The top bit of a word and the lowest of the next one.
        const auto top = static_cast<int>(of_bit.size()) - 1;
        if ((code.covered & bit_mask(top)) != 0 && (code.covered & 1U) != 0)
            risk += (of_bit.front() + of_bit.back()) * (code.group - 1) / code.group;
    }
    // Two check bits: a decoder that corrects one error takes them for a data bit.
    if (traits.detects >= 2) return risk;
    const double codewords =
        static_cast<double>(weights) / code.group * (code.interleaved ? count(code.covered) : 1);
    const double check = static_cast<double>(check_bits(code)) / (code.interleaved ? count(code.covered) : 1);
    return risk + codewords * std::max(0.0, check - 1) * of_a_bit;
}

/// Risk of the bits that a code corrects: of upsets that come in pairs.
double risk_of_pairs(std::uint64_t weights, const std::vector<double>& of_bit, const LayerCode& code,
                     const UpsetRates& upsets)
{
    const CodeTraits& traits = code_traits(*code.code);
    const double wrong = traits.detects >= 2 ? 2 : 3;
    // Two upsets of one code word; only two of three copies of a bit spoil it.
    const int together = code.interleaved ? count(code.covered) : 1;
    const double bits = data_bits(code) + static_cast<double>(check_bits(code)) / together;
    const double pairs = *code.code == CodeKind::triplication ? 3.0 * data_bits(code) : bits * (bits - 1) / 2;
    const double codewords = static_cast<double>(weights) / code.group * together;
    const double of_a_bit =
        sum_of(of_bit, code.covered) / (static_cast<double>(weights) * count(code.covered));
    return upsets.adjacent_share * risk_of_neighbours(of_bit, code, of_a_bit, weights) +
           codewords * pairs * upsets.ber * std::min(1.0, wrong * of_a_bit);
}

double rms(double squares, std::size_t values)
{
    return std::sqrt(squares / static_cast<double>(values));
}

/// The bits of a word but some, those of most risk first, among equals the higher.
std::vector<int> by_risk(const LayerRisk& layer, std::uint32_t without)
{
    std::vector<int> bits;
    for (int bit = static_cast<int>(layer.of_bit.size()); bit-- > 0;)
    {
        if ((without & bit_mask(bit)) == 0) bits.push_back(bit);
    }
    std::stable_sort(bits.begin(), bits.end(), [&](int a, int b) {
        return layer.of_bit[static_cast<std::size_t>(a)] > layer.of_bit[static_cast<std::size_t>(b)];
    });
    return bits;
}

/// Gathers the options of a layer.
class Options
{
  public:
    Options(const LayerRisk& layer, const StoredTensor* words, const OptionRules& rules)
        : layer_(layer), words_(words), rules_(rules)
    {}

    void add_all()
    {
        add({"as it is"}, 0);
        const LayerCode nothing;
        const LayerCode equal = words_ != nullptr ? equal_bits(*words_) : nothing;
        add_codes_beside(equal);
        if (words_ == nullptr) return;
        add(named(equal, "equal bits"), 0);
        const int bits = static_cast<int>(layer_.of_bit.size());
        for (int widen = 0; widen < bits - 1; ++widen)
        {
            const LayerCode wide = equal_bits(*words_, widen);
            if (golden_change(*words_, wide) > rules_.max_change) break;
            add_codes_in_words(wide);
            if (count(wide.forced | wide.copies) >= bits - 2) break;
        }
    }

    [[nodiscard]] std::vector<LayerOption> best() &&
    {
        std::stable_sort(options_.begin(), options_.end(), [](const LayerOption& a, const LayerOption& b) {
            return std::tie(a.extra_bits, a.risk) < std::tie(b.extra_bits, b.risk);
        });
        const double negligible =
            kNegligible * std::accumulate(layer_.of_bit.begin(), layer_.of_bit.end(), 0.0);
        std::vector<LayerOption> best;
        for (auto first = options_.begin(); first != options_.end();)
        {
            const auto last = std::find_if(first, options_.end(), [&](const LayerOption& option) {
                return option.extra_bits != first->extra_bits;
            });
            const double enough = first->risk + negligible;
            const auto order = [enough](const LayerOption& option) {
                return std::make_tuple(option.risk > enough, option.change, option.single_high, option.xors);
            };
            const LayerOption& chosen = *std::min_element(
                first, last,
                [&order](const LayerOption& a, const LayerOption& b) { return order(a) < order(b); });
            if (best.empty() || chosen.risk < best.back().risk - negligible) best.push_back(chosen);
            first = last;
        }
        return best;
    }

  private:
    static LayerCode named(LayerCode code, std::string name)
    {
        code.name = std::move(name);
        return code;
    }

    void add(const LayerCode& code, double change)
    {
        const auto left = [&](const std::vector<double>& of_bit, const UpsetRates& upsets) {
            return risk_left(layer_.weights, of_bit, code, upsets);
        };
        options_.push_back({code, extra_bits(code, layer_.weights), left(layer_.of_bit, rules_.upsets),
                            left(layer_.of_bit, {}), left(layer_.of_bit_high, {}), change,
                            xors_per_word(code)});
    }

    [[nodiscard]] static LayerCode with_code(LayerCode code, CodeKind kind, std::uint32_t covered, int group,
                                             bool interleaved)
    {
        code.code = kind;
        code.covered = covered;
        code.group = group;
        code.interleaved = interleaved;
        code.name = fmt::format("{} of {} bit{}", code_traits(kind).title, count(covered),
                                count(covered) == 1 ? "" : "s");
        if (group > 1) code.name += fmt::format(" of each of {} words", group);
        if (interleaved) code.name += ", interleaved";
        return code;
    }

    void add_codes_beside(const LayerCode& equal)
    {
        const std::vector<int> bits = by_risk(layer_, equal.forced | equal.copies);
        std::uint32_t covered = 0;
        for (std::size_t m = 1; m <= bits.size(); ++m)
        {
            covered |= bit_mask(bits[m - 1]);
            const int group = std::max(1, kFullCodeWord / static_cast<int>(m));
            for (const CodeKind kind : {CodeKind::hamming_sec, CodeKind::hsiao_sec_ded})
            {
                add(with_code(equal, kind, covered, 1, false), 0);
                add(with_code(equal, kind, covered, group, false), 0);
                add(with_code(equal, kind, covered, kFullCodeWord, true), 0);
            }
            if (m <= kMostTripled) add(with_code(equal, CodeKind::triplication, covered, 1, false), 0);
            LayerCode zeroed = with_code(equal, CodeKind::parity, covered, 1, false);
            zeroed.on_detected = OnDetected::zero;
            if (std::isfinite(zero_risk(layer_.of_bit, equal))) add(zeroed, 0);
        }
    }

    /// Put the check bits of a code over the m riskiest bits into equal bits and as few of the lowest as are
    /// needed.
    void add_codes_in_words(const LayerCode& equal)
    {
        const int bits = static_cast<int>(layer_.of_bit.size());
        std::vector<LayerCode> spare;  // by number of low bits given up
        std::vector<double> change;
        for (int low = 0; low <= std::min(kMostLowBits, bits - 2); ++low)
        {
            LayerCode code = equal;
            const std::uint32_t places = bit_mask(low) - 1;
            if ((places & (equal.forced | equal.copies)) != 0) break;
            code.forced |= places;
            // In the middle of what the bits given up could be.
            if (low > 0) code.forced_value |= bit_mask(low - 1);
            code.check_places = code.forced | code.copies;
            const double moved = golden_change(*words_, code);
            if (moved > rules_.max_change) break;
            spare.push_back(code);
            change.push_back(moved);
        }
        for (const CodeKind kind :
             {CodeKind::hamming_sec, CodeKind::hsiao_sec_ded, CodeKind::triplication, CodeKind::parity})
        {
            for (const bool interleaved : {false, true})
            {
                if (interleaved && kind != CodeKind::hamming_sec && kind != CodeKind::hsiao_sec_ded) continue;
                for (int m = 1; m < bits; ++m)
                    add_in_words(kind, m, interleaved, spare, change);
            }
        }
    }

    void add_in_words(CodeKind kind, int m, bool interleaved, const std::vector<LayerCode>& spare,
                      const std::vector<double>& change)
    {
        for (std::size_t low = 0; low < spare.size(); ++low)
        {
            if (spare[low].check_places == 0) continue;
            const std::vector<int> bits = by_risk(layer_, spare[low].check_places);
            if (static_cast<int>(bits.size()) < m) return;
            std::uint32_t covered = 0;
            for (int i = 0; i < m; ++i)
                covered |= bit_mask(bits[static_cast<std::size_t>(i)]);
            if (kind == CodeKind::triplication && m > static_cast<int>(kMostTripled)) return;
            const bool single = kind == CodeKind::triplication || kind == CodeKind::parity;
            const int most = single ? 1 : interleaved ? kFullCodeWord : kFullCodeWord / m;
            for (int group = 1; group <= most; ++group)
            {
                LayerCode code = with_code(spare[low], kind, covered, group, interleaved);
                if (!has_places(code, layer_.weights)) continue;
                code.name += " in their words";
                if (kind == CodeKind::parity)
                {
                    code.on_detected = OnDetected::zero;
                    if (!std::isfinite(zero_risk(layer_.of_bit, code))) return;
                }
                add(code, change[low]);
                return;
            }
        }
    }

    const LayerRisk& layer_;
    const StoredTensor* words_;
    const OptionRules& rules_;
    std::vector<LayerOption> options_;
};

}  // namespace

double zero_risk(const std::vector<double>& of_bit, const LayerCode& equal)
{
    double risk = std::numeric_limits<double>::infinity();
    // Clearing a high bit of all exponents makes numbers of nothing.
    for_each_bit(equal.forced_value, [&](int bit) {
        if (bit >= static_cast<int>(of_bit.size()) - 4) risk = of_bit[static_cast<std::size_t>(bit)];
    });
    // No number is larger than the step of the lowest copy.
    bool lowest = true;
    for_each_bit(equal.copies, [&](int bit) {
        if (lowest) risk = of_bit[static_cast<std::size_t>(bit)];
        lowest = false;
    });
    return risk;
}

double risk_left(std::uint64_t weights, const std::vector<double>& of_bit, const LayerCode& code,
                 const UpsetRates& upsets)
{
    const int bits = static_cast<int>(of_bit.size());
    const std::uint32_t word = bits == 32 ? ~std::uint32_t{0} : bit_mask(bits) - 1;
    const std::uint32_t open = word & ~code.forced & ~code.copies & ~code.covered;
    double risk = sum_of(of_bit, open);
    const std::uint32_t top = bit_mask(bits - 1);
    if (code.copies != 0 && (open & top) != 0)
    {
        const int lowest = bits - 1 - count(code.copies);
        risk += of_bit[static_cast<std::size_t>(lowest)] - of_bit.back();
    }
    if (!code.code) return risk;
    if (code_traits(*code.code).corrects > 0) return risk + risk_of_pairs(weights, of_bit, code, upsets);
    if (code.on_detected == OnDetected::keep) return risk + sum_of(of_bit, code.covered);
    return risk + (count(code.covered) + 1) * zero_risk(of_bit, code);
}

LayerCode equal_bits(const StoredTensor& words, int widen)
{
    LayerCode equal;
    const int bits = words.traits().bits;
    if (words.size() == 0) return equal;
    const std::uint32_t top = bit_mask(bits - 1);
    if (words.traits().whole_numbers)
    {
        // Bits that only extend the sign, in all words.
        std::uint32_t copies = top - 1;
        for (std::size_t i = 0; i < words.size(); ++i)
        {
            const std::uint32_t word = words.word(i);
            const std::uint32_t differs = ((word & top) != 0 ? ~word : word) & (top - 1);
            while ((copies & differs) != 0)
                copies &= copies << 1U;
            copies &= top - 1;
        }
        for (; widen > 0; --widen)
            copies = (copies | (copies >> 1U) | (top >> 1U)) & (top - 1);
        equal.copies = copies;
        return equal;
    }
    std::uint32_t differ = 0;
    std::uint32_t largest = 0;
    for (std::size_t i = 0; i < words.size(); ++i)
    {
        differ |= words.word(i) ^ words.word(0);
        largest = std::max(largest, words.word(i) & (top - 1));
    }
    std::uint32_t shared = 0;
    for (int bit = bits - 2; bit >= 0; --bit)
    {
        if ((differ & bit_mask(bit)) != 0 && widen-- <= 0) break;
        shared |= bit_mask(bit);
    }
    equal.forced = shared;
    equal.forced_value = largest & shared;
    return equal;
}

double golden_change(const StoredTensor& words, const LayerCode& code)
{
    const std::vector<std::uint32_t> before = words_of(words);
    const std::vector<std::uint32_t> after = golden_words(code, words.traits().bits, before);
    double changes = 0;
    double squares = 0;
    for (std::size_t i = 0; i < after.size(); ++i)
    {
        const double value = words.values()[i];
        squares += value * value;
        if (after[i] == before[i]) continue;
        const double change = static_cast<double>(words.decoded(i, after[i])) - value;
        changes += change * change;
    }
    if (changes == 0) return 0;
    return squares > 0 ? rms(changes, after.size()) / rms(squares, after.size())
                       : std::numeric_limits<double>::infinity();
}

std::vector<LayerOption> layer_options(const LayerRisk& layer, const StoredTensor* words,
                                       const OptionRules& rules)
{
    FS_REQUIRE(
        !layer.of_bit.empty() && layer.of_bit.size() <= 32 && layer.of_bit_high.size() == layer.of_bit.size(),
        "a layer of words of {} bits", layer.of_bit.size());
    FS_REQUIRE(words == nullptr || (words->size() == layer.weights &&
                                    words->traits().bits == static_cast<int>(layer.of_bit.size())),
               "{} words of {} bits for a layer of {} of {}", words->size(), words->traits().bits,
               layer.weights, layer.of_bit.size());
    Options options(layer, words, rules);
    options.add_all();
    return std::move(options).best();
}

}  // namespace flipstorm
