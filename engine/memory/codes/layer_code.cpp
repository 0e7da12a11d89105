#include "engine/memory/codes/layer_code.hpp"

#include <algorithm>
#include <bitset>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

int count(std::uint32_t mask)
{
    return static_cast<int>(std::bitset<32>(mask).count());
}

/// The bits of a word under a mask, side by side from the lowest on.
std::uint64_t gather(std::uint32_t word, std::uint32_t mask)
{
    std::uint64_t bits = 0;
    unsigned place = 0;
    for (; mask != 0; mask &= mask - 1, ++place)
    {
        const std::uint32_t lowest = mask & (0U - mask);
        if ((word & lowest) != 0) bits |= std::uint64_t{1} << place;
    }
    return bits;
}

/// The opposite: bits that lie side by side, put where a mask has ones.
std::uint32_t scatter(std::uint64_t bits, std::uint32_t mask)
{
    std::uint32_t word = 0;
    for (; mask != 0; mask &= mask - 1, bits >>= 1U)
    {
        if ((bits & 1U) != 0) word |= mask & (0U - mask);
    }
    return word;
}

}  // namespace

int data_bits(const LayerCode& code)
{
    return count(code.covered) * code.group;
}

int check_bits(const LayerCode& code)
{
    return code.code ? code_traits(*code.code).check_bits(data_bits(code)) : 0;
}

void require_possible(const LayerCode& code, int word_bits)
{
    FS_REQUIRE(word_bits >= 1 && word_bits <= 32, "words of {} bits", word_bits);
    const std::uint32_t word =
        word_bits == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << static_cast<unsigned>(word_bits)) - 1;
    FS_REQUIRE(
        ((code.forced | code.covered) & ~word) == 0 && (code.forced & code.covered) == 0 &&
            (code.forced_value & ~code.forced) == 0 && (code.check_places & ~code.forced) == 0,
        "'{}': forced {:#x}, covered {:#x} and check places {:#x} of words of {} bits do not go together",
        code.name, code.forced, code.covered, code.check_places, word_bits);
    FS_REQUIRE(code.code.has_value() == (code.covered != 0) && code.group >= 1,
               "'{}' has a code over no bit, or bits under no code", code.name);
    if (!code.code) return;
    const CodeTraits& traits = code_traits(*code.code);
    FS_REQUIRE(data_bits(code) <= traits.most_data_bits, "'{}' has {} bits under {}, which takes {}",
               code.name, data_bits(code), traits.title, traits.most_data_bits);
    FS_REQUIRE(code.check_places == 0 || (code.group == 1 && count(code.check_places) == check_bits(code)),
               "'{}' has {} places in a word for {} check bits", code.name, count(code.check_places),
               check_bits(code));
}

std::uint64_t extra_bits(const LayerCode& code, std::uint64_t words)
{
    if (!code.code || code.check_places != 0) return 0;
    const auto group = static_cast<std::uint64_t>(code.group);
    return (words + group - 1) / group * static_cast<std::uint64_t>(check_bits(code));
}

double xors_per_word(const LayerCode& code)
{
    if (!code.code) return 0;
    return static_cast<double>(code_traits(*code.code).xors(data_bits(code))) / code.group;
}

std::vector<std::uint32_t> golden_words(const LayerCode& code, std::vector<std::uint32_t> words)
{
    for (std::uint32_t& word : words)
        word = (word & ~code.forced) | code.forced_value;
    return words;
}

ProtectedWords::ProtectedWords(LayerCode code, int word_bits, const std::vector<std::uint32_t>& words)
    : code_(std::move(code)),
      word_bits_(static_cast<std::size_t>(word_bits)),
      words_(words),
      data_bits_(words.size() * static_cast<std::uint64_t>(word_bits))
{
    require_possible(code_, word_bits);
    for (const std::uint32_t word : words_)
        FS_REQUIRE(word_bits == 32 || word >> static_cast<unsigned>(word_bits) == 0, "word {:#x} of {} bits",
                   word, word_bits);
    if (!code_.code) return;
    const CodeTraits& traits = code_traits(*code_.code);
    const int data = flipstorm::data_bits(code_);
    const auto group = static_cast<std::size_t>(code_.group);
    const std::size_t groups = (words_.size() + group - 1) / group;
    const bool beside = code_.check_places == 0;
    check_width_ = static_cast<std::size_t>(check_bits(code_));
    for (std::size_t g = 0; g < groups; ++g)
    {
        const std::uint64_t check = traits.encode(covered_bits(g), data);
        if (beside)
            check_.push_back(check);
        else
            words_[g] = (words_[g] & ~code_.check_places) | scatter(check, code_.check_places);
    }
}

std::uint64_t ProtectedWords::covered_bits(std::size_t group) const
{
    // Words that a last group lacks count as 0.
    const auto size = static_cast<std::size_t>(code_.group);
    const auto width = static_cast<unsigned>(count(code_.covered));
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < size && group * size + i < words_.size(); ++i)
        bits |= gather(words_[group * size + i], code_.covered) << (static_cast<unsigned>(i) * width);
    return bits;
}

std::uint64_t ProtectedWords::group_of(std::uint64_t bit) const
{
    FS_REQUIRE(bit < bits(), "bit {} of a memory of {}", bit, bits());
    if (bit >= data_bits_) return (bit - data_bits_) / check_width_;
    return bit / word_bits_ / static_cast<std::uint64_t>(code_.group);
}

void ProtectedWords::flip(std::uint64_t bit)
{
    const std::uint64_t group = group_of(bit);
    if (bit < data_bits_)
        words_[static_cast<std::size_t>(bit / word_bits_)] ^= std::uint32_t{1}
                                                              << static_cast<unsigned>(bit % word_bits_);
    else
        check_[static_cast<std::size_t>(group)] ^=
            std::uint64_t{1} << static_cast<unsigned>((bit - data_bits_) % check_width_);
}

ProtectedWords::Group ProtectedWords::decode_group(std::size_t group) const
{
    const auto size = static_cast<std::size_t>(code_.group);
    const std::size_t first = group * size;
    const std::size_t last = std::min(words_.size(), first + size);
    Group decoded;
    decoded.first = first;
    decoded.words.assign(words_.begin() + static_cast<std::ptrdiff_t>(first),
                         words_.begin() + static_cast<std::ptrdiff_t>(last));
    if (code_.code)
    {
        const std::uint64_t check =
            code_.check_places == 0 ? check_[group] : gather(words_[group], code_.check_places);
        const Decoded found =
            code_traits(*code_.code).decode(covered_bits(group), check, flipstorm::data_bits(code_));
        decoded.verdict = found.verdict;
        const auto width = static_cast<unsigned>(count(code_.covered));
        for (std::size_t i = 0; i < decoded.words.size(); ++i)
        {
            std::uint32_t& word = decoded.words[i];
            word = (word & ~code_.covered) |
                   scatter(found.data >> (static_cast<unsigned>(i) * width), code_.covered);
        }
    }
    const bool zeroed = decoded.verdict == Verdict::detected && code_.on_detected == OnDetected::zero;
    for (std::uint32_t& word : decoded.words)
        word = zeroed ? 0 : (word & ~code_.forced) | code_.forced_value;
    return decoded;
}

ProtectedWords::Group ProtectedWords::decode_group_of(std::uint64_t bit) const
{
    return decode_group(static_cast<std::size_t>(group_of(bit)));
}

std::vector<std::uint32_t> ProtectedWords::decode(DecodedCounts* counts) const
{
    std::vector<std::uint32_t> words;
    words.reserve(words_.size());
    const auto group = static_cast<std::size_t>(code_.group);
    for (std::size_t g = 0; g * group < words_.size(); ++g)
    {
        const Group decoded = decode_group(g);
        words.insert(words.end(), decoded.words.begin(), decoded.words.end());
        if (counts == nullptr || !code_.code) continue;
        ++(decoded.verdict == Verdict::clean       ? counts->clean
           : decoded.verdict == Verdict::corrected ? counts->corrected
                                                   : counts->detected);
    }
    return words;
}

}  // namespace flipstorm
