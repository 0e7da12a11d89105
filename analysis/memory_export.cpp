#include "analysis/memory_export.hpp"

#include <fmt/format.h>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/printable_text.hpp"

namespace flipstorm
{
namespace
{

constexpr const char* kHeader =
    R"(// Made by flipstorm: the layers of protected_memory.bin, and how they are decoded.
#pragma once

#include <cstddef>
#include <cstdint>

namespace protected_memory
{

struct Layer
{
    const char* name;
    std::uint64_t first_byte;  // in protected_memory.bin
    std::uint64_t words;
    int word_bits;               // 8, 16 or 32
    std::uint32_t forced;        // these bits read as those of forced_value
    std::uint32_t forced_value;
    std::uint32_t copies;        // these bits read as the word's top bit
    std::uint32_t covered;       // these bits are under the code
    std::uint64_t group;         // most words of a block; B = ceil(words / group) blocks, block b from words * b / B on
    bool interleaved;            // a word of the code: the covered bits of one position, else of the block
    std::uint32_t check_places;  // bits of a block's words that hold its check bits; 0: they lie behind the words
    bool zero_on_error;          // a word with an error that the code cannot correct reads as 0
    bool corrects;
    bool by_bit;                 // each data bit has check bits of its own, and is corrected by them alone
    int check_bits;              // of a word of the code; 0: no code
    const std::uint64_t* columns;  // of the parity-check matrix: check bits that each data bit is part of
    int data_bits;                 // of a word of the code
};

struct Counts
{
    std::uint64_t corrected;  // blocks
    std::uint64_t detected;   // blocks with an error that the code cannot correct
};

extern const Layer layers[];
extern const std::size_t layer_count;

// Decode a layer. memory: the bytes of protected_memory.bin; words: room for layer.words of them.
Counts decode(const Layer& layer, const unsigned char* memory, std::uint32_t* words);

}  // namespace protected_memory
)";

constexpr const char* kDecoder = R"(
namespace
{

std::uint32_t stored_word(const Layer& layer, const unsigned char* memory, std::uint64_t i)
{
    const int bytes = layer.word_bits / 8;
    std::uint32_t word = 0;
    for (int b = 0; b < bytes; ++b)
        word |= static_cast<std::uint32_t>(memory[layer.first_byte + i * bytes + b]) << (8 * b);
    return word;
}

int ones(std::uint32_t mask)
{
    int count = 0;
    for (; mask != 0; mask &= mask - 1)
        ++count;
    return count;
}

// The n-th lowest bit of a mask.
std::uint32_t nth_bit(std::uint32_t mask, int n)
{
    for (; n > 0; --n)
        mask &= mask - 1;
    return mask & (0u - mask);
}

}  // namespace

Counts decode(const Layer& layer, const unsigned char* memory, std::uint32_t* words)
{
    Counts counts = {0, 0};
    const std::uint32_t top = std::uint32_t(1) << (layer.word_bits - 1);
    const std::uint64_t blocks = (layer.words + layer.group - 1) / layer.group;
    const int covered = ones(layer.covered);
    const int places = ones(layer.check_places);
    const int codewords = layer.check_bits == 0 ? 0 : layer.interleaved ? covered : 1;
    const unsigned char* beside = memory + layer.first_byte + layer.words * (layer.word_bits / 8);
    for (std::uint64_t b = 0; b < blocks; ++b)
    {
        const std::uint64_t first = b * layer.words / blocks;
        const std::uint64_t size = (b + 1) * layer.words / blocks - first;
        bool corrected = false;
        bool detected = false;
        for (std::uint64_t i = 0; i < size; ++i)
            words[first + i] = stored_word(layer, memory, first + i);
        // All of a block is read before any of it is put right: check bits may lie in its words.
        for (int c = 0; c < codewords; ++c)
        {
            const std::uint32_t mask = layer.interleaved ? nth_bit(layer.covered, c) : layer.covered;
            const int width = layer.interleaved ? 1 : covered;
            std::uint64_t syndrome = 0;
            for (int k = 0; k < layer.check_bits; ++k)
            {
                bool bit;
                const std::uint64_t at = static_cast<std::uint64_t>(c) * layer.check_bits + k;
                if (places > 0)
                {
                    const std::uint32_t word = stored_word(layer, memory, first + at / places);
                    bit = (word & nth_bit(layer.check_places, static_cast<int>(at % places))) != 0;
                }
                else
                {
                    const std::uint64_t n = b * codewords * layer.check_bits + at;
                    bit = (beside[n / 8] >> (n % 8) & 1) != 0;
                }
                syndrome |= static_cast<std::uint64_t>(bit) << k;
            }
            for (std::uint64_t i = 0; i < size; ++i)
            {
                for (int j = 0; j < width; ++j)
                {
                    if ((words[first + i] & nth_bit(mask, j)) != 0)
                        syndrome ^= layer.columns[i * width + j];
                }
            }
            if (syndrome == 0) continue;
            // A check bit alone, or the data bit whose column it is.
            bool found = layer.corrects && (layer.by_bit || (syndrome & (syndrome - 1)) == 0);
            for (int d = 0; layer.corrects && (layer.by_bit || !found) && d < layer.data_bits; ++d)
            {
                const bool hit = layer.by_bit ? (syndrome & layer.columns[d]) == layer.columns[d]
                                              : syndrome == layer.columns[d];
                if (!hit) continue;
                found = true;
                // Words that a block lacks are 0 and have no bit to correct.
                if (static_cast<std::uint64_t>(d / width) < size)
                    words[first + d / width] ^= nth_bit(mask, d % width);
            }
            corrected = corrected || found;
            detected = detected || !found;
        }
        counts.corrected += corrected && !detected ? 1 : 0;
        counts.detected += detected ? 1 : 0;
        for (std::uint64_t i = 0; i < size; ++i)
        {
            std::uint32_t& word = words[first + i];
            word = (word & ~layer.forced & ~layer.copies) | layer.forced_value;
            if ((word & top) != 0) word |= layer.copies;
            if (detected && layer.zero_on_error) word = 0;
        }
    }
    return counts;
}

}  // namespace protected_memory
)";

/// Bits after bits, the first in the lowest bit of a byte.
class BitString
{
  public:
    void add(std::uint64_t bits, int count)
    {
        for (int i = 0; i < count; ++i)
        {
            if (used_ % 8 == 0) bytes_ += '\0';
            const auto bit = static_cast<unsigned>(bits >> static_cast<unsigned>(i) & 1U);
            bytes_.back() = static_cast<char>(static_cast<unsigned char>(bytes_.back()) | bit << (used_ % 8));
            ++used_;
        }
    }
    [[nodiscard]] const std::string& bytes() const { return bytes_; }

  private:
    std::string bytes_;
    unsigned used_ = 0;
};

std::string image_of(const LayerProtection& plan, const ProtectedLayer& layer)
{
    std::string bytes;
    for (const std::uint32_t word : layer.words)
    {
        for (int at = 0; at < plan.word_bits; at += 8)
            bytes += static_cast<char>(word >> static_cast<unsigned>(at) & 0xFFU);
    }
    BitString checks;
    for (const std::uint64_t check : layer.checks)
        checks.add(check, layer.check_width);
    return bytes + checks.bytes();
}

/// Columns of the parity-check matrix of a layer's code: a linear, systematic one.
std::vector<std::uint64_t> columns_of(const LayerCode& code)
{
    std::vector<std::uint64_t> columns;
    if (!code.code) return columns;
    const CodeTraits& traits = code_traits(*code.code);
    const int bits = data_bits(code);
    for (int bit = 0; bit < bits; ++bit)
        columns.push_back(traits.encode(std::uint64_t{1} << static_cast<unsigned>(bit), bits));
    return columns;
}

/// A name as a C++ string literal, whatever is in it.
std::string literal(const std::string& text)
{
    std::string quoted = "\"";
    for (const char c : printable(text))
        quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    return quoted + "\"";
}

std::string source_of(const ProtectedRecord& memory)
{
    std::string text =
        "// Made by flipstorm; see protected_memory.hpp.\n#include \"protected_memory.hpp\"\n\n"
        "namespace protected_memory\n{\n\nnamespace\n{\n\n";
    std::string rows;
    std::uint64_t first = 0;
    for (std::size_t l = 0; l < memory.plan.size(); ++l)
    {
        const LayerProtection& plan = memory.plan[l];
        const LayerCode& code = plan.code;
        const std::vector<std::uint64_t> columns = columns_of(code);
        std::string list;
        for (const std::uint64_t column : columns)
        {
            list += fmt::format("{}{:#x}u", list.empty() ? "" : ", ", column);
        }
        text += fmt::format("const std::uint64_t columns_{}[] = {{{}}};\n", l, list.empty() ? "0" : list);
        const int check = code.code ? code_traits(*code.code).check_bits(data_bits(code)) : 0;
        rows += fmt::format(
            "    {{{}, {}u, {}u, {}, {:#x}u, {:#x}u, {:#x}u, {:#x}u, {}u, {}, {:#x}u, {}, {}, {}, "
            "{}, columns_{}, {}}},\n",
            literal(plan.layer), first, plan.weights, plan.word_bits, code.forced, code.forced_value,
            code.copies, code.covered, code.group, code.interleaved, code.check_places,
            code.on_detected == OnDetected::zero, code.code && code_traits(*code.code).corrects > 0,
            code.code == CodeKind::triplication, check, l, code.code ? data_bits(code) : 0);
        first += image_of(plan, memory.layers[l]).size();
    }
    return text + "\n}  // namespace\n\nconst Layer layers[] = {\n" + rows +
           "};\nconst std::size_t layer_count = sizeof layers / sizeof layers[0];\n" + kDecoder;
}

}  // namespace

std::string memory_image(const ProtectedRecord& memory)
{
    std::string bytes;
    for (std::size_t l = 0; l < memory.plan.size(); ++l)
        bytes += image_of(memory.plan[l], memory.layers[l]);
    return bytes;
}

void export_memory(const ProtectedRecord& memory, const std::filesystem::path& folder)
{
    make_folder(folder);
    write_file_durably(folder / "protected_memory.bin", memory_image(memory));
    write_file_durably(folder / "protected_memory.hpp", kHeader);
    write_file_durably(folder / "protected_memory.cpp", source_of(memory));
}

}  // namespace flipstorm
