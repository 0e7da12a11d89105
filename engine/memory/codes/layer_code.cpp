#include "engine/memory/codes/layer_code.hpp"

#include <algorithm>
#include <bitset>
#include <utility>

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

std::uint32_t ones(int bits)
{
    return bits >= 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << static_cast<unsigned>(bits)) - 1;
}

std::uint64_t blocks_of(const LayerCode& code, std::uint64_t words)
{
    const auto group = static_cast<std::uint64_t>(code.group);
    return (words + group - 1) / group;
}

/// Those of some bits that lie side by side right below the top bit of a word.
std::uint32_t run_below_top(std::uint32_t bits, int word_bits)
{
    std::uint32_t run = 0;
    for (int at = word_bits - 2; at >= 0; --at)
    {
        const std::uint32_t bit = std::uint32_t{1} << static_cast<unsigned>(at);
        if ((bits & bit) == 0) break;
        run |= bit;
    }
    return run;
}

}  // namespace

int data_bits(const LayerCode& code)
{
    return code.interleaved ? code.group : count(code.covered) * code.group;
}

int check_bits(const LayerCode& code)
{
    if (!code.code) return 0;
    return code_traits(*code.code).check_bits(data_bits(code)) * (code.interleaved ? count(code.covered) : 1);
}

bool has_places(const LayerCode& code, std::uint64_t words)
{
    if (!code.code || code.check_places == 0 || words == 0) return true;
    const std::uint64_t smallest = words / blocks_of(code, words);
    return smallest * static_cast<std::uint64_t>(count(code.check_places)) >=
           static_cast<std::uint64_t>(check_bits(code));
}

void require_possible(const LayerCode& code, int word_bits, std::uint64_t words)
{
    FS_REQUIRE(word_bits >= 1 && word_bits <= 32, "words of {} bits", word_bits);
    const std::uint32_t word = ones(word_bits);
    const std::uint32_t read = code.forced | code.copies;  // instead of what is stored
    FS_REQUIRE(
        ((read | code.covered) & ~word) == 0 && (read & code.covered) == 0 &&
            (code.forced & code.copies) == 0 && (code.forced_value & ~code.forced) == 0 &&
            (code.check_places & ~read) == 0 && run_below_top(code.copies, word_bits) == code.copies,
        "'{}': forced {:#x}, copies {:#x}, covered {:#x} and check places {:#x} of words of {} bits do not "
        "go together",
        code.name, code.forced, code.copies, code.covered, code.check_places, word_bits);
    constexpr int kMostWords = 64;  // of a block: data bits of the longest code word
    FS_REQUIRE(code.code.has_value() == (code.covered != 0) && code.group >= 1 && code.group <= kMostWords,
               "'{}' has a code over no bit, bits under no code, or blocks of {} words", code.name,
               code.group);
    if (!code.code) return;
    const CodeTraits& traits = code_traits(*code.code);
    FS_REQUIRE(data_bits(code) <= traits.most_data_bits, "'{}' has {} bits under {}, which takes {}",
               code.name, data_bits(code), traits.title, traits.most_data_bits);
    FS_REQUIRE(has_places(code, words), "'{}' has {} places in a word for {} check bits of {} words",
               code.name, count(code.check_places), check_bits(code), code.group);
    FS_REQUIRE(code.on_detected == OnDetected::keep || code.group == 1, "'{}' zeroes {} words for one error",
               code.name, code.group);
}

std::uint64_t extra_bits(const LayerCode& code, std::uint64_t words)
{
    if (!code.code || code.check_places != 0) return 0;
    return blocks_of(code, words) * static_cast<std::uint64_t>(check_bits(code));
}

double xors_per_word(const LayerCode& code)
{
    if (!code.code) return 0;
    const double of_codeword = code_traits(*code.code).xors(data_bits(code));
    return of_codeword * (code.interleaved ? count(code.covered) : 1) / code.group;
}

std::vector<std::uint32_t> words_of(const StoredTensor& tensor)
{
    std::vector<std::uint32_t> words(tensor.size());
    for (std::size_t i = 0; i < words.size(); ++i)
        words[i] = tensor.word(i);
    return words;
}

std::vector<std::uint32_t> golden_words(const LayerCode& code, int word_bits,
                                        std::vector<std::uint32_t> words)
{
    const std::uint32_t top = std::uint32_t{1} << static_cast<unsigned>(word_bits - 1);
    const std::uint32_t run = run_below_top(code.forced, word_bits);
    const auto below = [](std::uint32_t bits) { return bits == 0 ? 0 : (bits & (0U - bits)) - 1; };
    for (std::uint32_t& word : words)
    {
        const std::uint32_t sign_extended = (word & top) != 0 ? code.copies : 0;
        if ((word & code.copies) != sign_extended)
            word = (word & top) | sign_extended | ((word & top) != 0 ? 0 : below(code.copies));
        if ((word & run) != (code.forced_value & run))
            word = (word & top) | ((word & run) > (code.forced_value & run) ? below(run) : 0);
        word = (word & ~code.forced) | code.forced_value;
    }
    return words;
}

ProtectedWords::ProtectedWords(LayerCode code, int word_bits, std::vector<std::uint32_t> words, Unencoded)
    : code_(std::move(code)),
      word_bits_(static_cast<std::size_t>(word_bits)),
      words_(std::move(words)),
      data_bits_(words_.size() * static_cast<std::uint64_t>(word_bits)),
      blocks_(static_cast<std::size_t>(blocks_of(code_, words_.size())))
{
    require_possible(code_, word_bits, words_.size());
    for (const std::uint32_t word : words_)
        FS_REQUIRE((word & ~ones(word_bits)) == 0, "word {:#x} of {} bits", word, word_bits);
    if (!code_.code) return;
    if (code_.interleaved)
    {
        for (std::uint32_t mask = code_.covered; mask != 0; mask &= mask - 1)
            positions_.push_back(mask & (0U - mask));
    }
    else
    {
        positions_.push_back(code_.covered);
    }
    codewords_ = positions_.size();
    check_width_ = static_cast<std::size_t>(code_traits(*code_.code).check_bits(flipstorm::data_bits(code_)));
}

ProtectedWords::ProtectedWords(LayerCode code, int word_bits, const std::vector<std::uint32_t>& words)
    : ProtectedWords(std::move(code), word_bits, words, Unencoded{})
{
    words_ = golden_words(code_, word_bits, std::move(words_));
    if (!code_.code) return;
    const CodeTraits& traits = code_traits(*code_.code);
    const int data = flipstorm::data_bits(code_);
    for (std::size_t b = 0; b < blocks_; ++b)
    {
        const std::vector<std::uint32_t> block = stored_block(b).words;
        for (std::size_t c = 0; c < codewords_; ++c)
        {
            const std::uint64_t check = traits.encode(covered_bits(block, c), data);
            if (code_.check_places == 0)
                check_.push_back(check);
            else
                store_in_places(b, c, check);
        }
    }
}

ProtectedWords ProtectedWords::of_stored(LayerCode code, int word_bits, std::vector<std::uint32_t> words,
                                         std::vector<std::uint64_t> checks)
{
    ProtectedWords memory(std::move(code), word_bits, std::move(words), Unencoded{});
    const std::size_t beside =
        memory.code_.code && memory.code_.check_places == 0 ? memory.blocks_ * memory.codewords_ : 0;
    FS_REQUIRE(checks.size() == beside, "{} check words for {} words of the code", checks.size(), beside);
    for (const std::uint64_t check : checks)
        FS_REQUIRE(check >> memory.check_width_ == 0, "check bits {:#x} of {}", check, memory.check_width_);
    memory.check_ = std::move(checks);
    return memory;
}

ProtectedWords::Stored ProtectedWords::stored_block(std::size_t block) const
{
    Stored stored;
    stored.words.assign(words_.begin() + static_cast<std::ptrdiff_t>(first_of(block)),
                        words_.begin() + static_cast<std::ptrdiff_t>(first_of(block + 1)));
    if (check_.size() < (block + 1) * codewords_) return stored;  // they lie in the words, or are being made
    const auto first = check_.begin() + static_cast<std::ptrdiff_t>(block * codewords_);
    stored.checks.assign(first, first + static_cast<std::ptrdiff_t>(codewords_));
    return stored;
}

std::uint64_t ProtectedWords::covered_bits(const std::vector<std::uint32_t>& words,
                                           std::size_t codeword) const
{
    // Words that a block lacks count as 0.
    const std::uint32_t mask = positions_[codeword];
    const auto width = static_cast<unsigned>(count(mask));
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < words.size(); ++i)
        bits |= gather(words[i], mask) << (static_cast<unsigned>(i) * width);
    return bits;
}

namespace
{

/// Call work(word of the block, bit mask in it, number of the check bit) for check bits [first, first +
/// count).
template<class Work>
void for_each_place(std::uint32_t places, std::size_t first, std::size_t count_of, Work&& work)
{
    const auto width = static_cast<std::size_t>(count(places));
    for (std::size_t i = 0; i < count_of; ++i)
    {
        const std::size_t at = first + i;
        work(at / width, scatter(std::uint64_t{1} << (at % width), places), i);
    }
}

}  // namespace

std::uint64_t ProtectedWords::check_of(const Stored& stored, std::size_t codeword) const
{
    if (code_.check_places == 0) return stored.checks[codeword];
    std::uint64_t check = 0;
    for_each_place(code_.check_places, codeword * check_width_, check_width_,
                   [&](std::size_t word, std::uint32_t bit, std::size_t i) {
                       if ((stored.words[word] & bit) != 0) check |= std::uint64_t{1} << i;
                   });
    return check;
}

void ProtectedWords::store_in_places(std::size_t block, std::size_t codeword, std::uint64_t check)
{
    for_each_place(code_.check_places, codeword * check_width_, check_width_,
                   [&](std::size_t at, std::uint32_t bit, std::size_t i) {
                       std::uint32_t& word = words_[first_of(block) + at];
                       word = (check >> i & 1U) != 0 ? word | bit : word & ~bit;
                   });
}

std::size_t ProtectedWords::block_of_word(std::uint64_t word) const
{
    // The inverse of first_of: the last block that begins at or before the word.
    return static_cast<std::size_t>(((word + 1) * blocks_ + words_.size() - 1) / words_.size() - 1);
}

std::size_t ProtectedWords::block_of(std::uint64_t bit) const
{
    FS_REQUIRE(bit < bits(), "bit {} of a memory of {}", bit, bits());
    if (bit >= data_bits_) return static_cast<std::size_t>((bit - data_bits_) / check_width_) / codewords_;
    return block_of_word(bit / word_bits_);
}

void ProtectedWords::flip(std::uint64_t bit)
{
    FS_REQUIRE(bit < bits(), "bit {} of a memory of {}", bit, bits());
    if (bit < data_bits_)
        words_[static_cast<std::size_t>(bit / word_bits_)] ^= std::uint32_t{1}
                                                              << static_cast<unsigned>(bit % word_bits_);
    else
        check_[static_cast<std::size_t>((bit - data_bits_) / check_width_)] ^=
            std::uint64_t{1} << static_cast<unsigned>((bit - data_bits_) % check_width_);
}

ProtectedWords::Block ProtectedWords::decode_stored(std::size_t block, Stored stored) const
{
    Block decoded;
    decoded.first = first_of(block);
    decoded.words = stored.words;
    if (code_.code)
    {
        const CodeTraits& traits = code_traits(*code_.code);
        const int data = flipstorm::data_bits(code_);
        for (std::size_t c = 0; c < codewords_; ++c)
        {
            const Decoded found = traits.decode(covered_bits(stored.words, c), check_of(stored, c), data);
            decoded.verdict = std::max(decoded.verdict, found.verdict);
            const std::uint32_t mask = positions_[c];
            const auto width = static_cast<unsigned>(count(mask));
            for (std::size_t i = 0; i < decoded.words.size(); ++i)
            {
                std::uint32_t& word = decoded.words[i];
                word = (word & ~mask) | scatter(found.data >> (static_cast<unsigned>(i) * width), mask);
            }
        }
    }
    const bool zeroed = decoded.verdict == Verdict::detected && code_.on_detected == OnDetected::zero;
    const std::uint32_t top = std::uint32_t{1} << static_cast<unsigned>(word_bits_ - 1);
    for (std::uint32_t& word : decoded.words)
    {
        word = (word & ~code_.forced & ~code_.copies) | code_.forced_value;
        if ((word & top) != 0) word |= code_.copies;
        if (zeroed) word = 0;
    }
    return decoded;
}

ProtectedWords::Block ProtectedWords::decode_block_of(std::uint64_t bit) const
{
    const std::size_t block = block_of(bit);
    return decode_stored(block, stored_block(block));
}

bool ProtectedWords::bit(std::uint64_t number) const
{
    FS_REQUIRE(number < bits(), "bit {} of a memory of {}", number, bits());
    if (number < data_bits_)
        return (words_[static_cast<std::size_t>(number / word_bits_)] >> (number % word_bits_) & 1U) != 0;
    const std::uint64_t beside = number - data_bits_;
    return (check_[static_cast<std::size_t>(beside / check_width_)] >> (beside % check_width_) & 1U) != 0;
}

ProtectedWords::Block ProtectedWords::decode_upset(const std::vector<std::uint64_t>& upset) const
{
    FS_REQUIRE(!upset.empty(), "no bit is upset");
    const std::size_t block = block_of(upset.front());
    Stored stored = stored_block(block);
    for (const std::uint64_t bit : upset)
    {
        FS_REQUIRE(block_of(bit) == block, "bits {} and {} are not of one block", upset.front(), bit);
        if (bit < data_bits_)
        {
            stored.words[static_cast<std::size_t>(bit / word_bits_) - first_of(block)] ^=
                std::uint32_t{1} << (bit % word_bits_);
            continue;
        }
        const std::uint64_t beside = bit - data_bits_;
        stored.checks[static_cast<std::size_t>(beside / check_width_) - block * codewords_] ^=
            std::uint64_t{1} << (beside % check_width_);
    }
    return decode_stored(block, std::move(stored));
}

std::vector<std::uint32_t> ProtectedWords::decode(DecodedCounts* counts) const
{
    std::vector<std::uint32_t> words;
    words.reserve(words_.size());
    for (std::size_t b = 0; b < blocks_; ++b)
    {
        const Block decoded = decode_stored(b, stored_block(b));
        words.insert(words.end(), decoded.words.begin(), decoded.words.end());
        if (counts == nullptr || !code_.code) continue;
        ++(decoded.verdict == Verdict::clean       ? counts->clean
           : decoded.verdict == Verdict::corrected ? counts->corrected
                                                   : counts->detected);
    }
    return words;
}

}  // namespace flipstorm
