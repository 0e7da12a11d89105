#include "analysis/memory_export.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "engine/base/durable_file.hpp"
#include "engine/base/philox.hpp"

namespace flipstorm
{
namespace
{

/// Layers of all kinds.
ProtectedRecord every_kind()
{
    ProtectedRecord memory;
    memory.plan = {
        {"as \"it\" is", 5, 16, {"none"}},
        {"beside", 131, 8, {"sec", 0, 0, CodeKind::hamming_sec, 0xC0, 28}},
        {"interleaved", 130, 8, {"sec", 0, 0, CodeKind::hamming_sec, 0xFF, 57, 0, OnDetected::keep, 0, true}},
        {"copies", 64, 8, {"ded", 0, 0, CodeKind::hsiao_sec_ded, 0xBF, 8, 0x40, OnDetected::keep, 0x40}},
        {"in words",
         55,
         32,
         {"ded", 0x7000000F, 0x30000008, CodeKind::hsiao_sec_ded, 0x8F000000, 4, 0x7000000F, OnDetected::keep,
          0, true}},
        {"zeroed",
         33,
         32,
         {"parity", 0x40000000, 0, CodeKind::parity, 0xBF800000, 1, 0x40000000, OnDetected::zero}},
        {"tripled", 21, 16, {"tmr", 0, 0, CodeKind::triplication, 0xFF00}}};
    RandomStream random(5, RandomPurpose::test);
    for (LayerProtection& plan : memory.plan)
    {
        std::vector<std::uint32_t> words;
        for (std::uint64_t i = 0; i < plan.weights; ++i)
            words.push_back(static_cast<std::uint32_t>(
                random.below(std::uint64_t{1} << static_cast<unsigned>(plan.word_bits))));
        plan.extra_bits = extra_bits(plan.code, plan.weights);
        memory.layers.push_back(protect(plan, words));
    }
    return memory;
}

/// Where a bit of a layer's memory lies in the image.
std::uint64_t place(const ProtectedRecord& memory, std::size_t layer, std::uint64_t bit)
{
    std::uint64_t byte = 0;
    for (std::size_t l = 0; l < layer; ++l)
    {
        const LayerProtection& plan = memory.plan[l];
        byte += plan.weights * static_cast<std::uint64_t>(plan.word_bits / 8) + (plan.extra_bits + 7) / 8;
    }
    return byte * 8 + bit;
}

// The source is compiled, and decodes memories with upsets as flipstorm's own decoder does.
TEST(MemoryExport, TheSourceDecodesWhatIsInTheImage)
{
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("flipstorm-export-" + std::to_string(::getpid()));
    const ProtectedRecord memory = every_kind();
    export_memory(memory, folder);
    const std::string image = read_file(folder / "protected_memory.bin");
    EXPECT_EQ(image, memory_image(memory));
    {
        std::ofstream program(folder / "main.cpp");
        program << R"(#include "protected_memory.hpp"
#include <cstdio>
#include <vector>
// Flip the bits of each line of standard input, and print what every layer reads as then.
int main(int, char** arguments)
{
    std::vector<unsigned char> image;
    std::FILE* file = std::fopen(arguments[1], "rb");
    for (int c; (c = std::fgetc(file)) != EOF;)
        image.push_back(static_cast<unsigned char>(c));
    std::fclose(file);
    int count;
    while (std::scanf("%d", &count) == 1)
    {
        std::vector<unsigned char> upset = image;
        for (unsigned long bit; count > 0 && std::scanf("%lu", &bit) == 1; --count)
            upset[bit / 8] ^= static_cast<unsigned char>(1 << bit % 8);
        for (std::size_t l = 0; l < protected_memory::layer_count; ++l)
        {
            const protected_memory::Layer& layer = protected_memory::layers[l];
            std::vector<std::uint32_t> words(layer.words);
            const protected_memory::Counts counts = protected_memory::decode(layer, upset.data(), words.data());
            std::printf("%lu %lu", static_cast<unsigned long>(counts.corrected),
                        static_cast<unsigned long>(counts.detected));
            for (std::size_t i = 0; i < words.size(); ++i)
                std::printf(" %x", words[i]);
            std::printf("\n");
        }
    }
}
)";
    }
    const std::string in = folder.string();
    const std::string compile = "c++ -std=c++11 -O1 -Wall -Wextra -Werror -o " + in + "/decode " + in +
                                "/main.cpp " + in + "/protected_memory.cpp";
    ASSERT_EQ(std::system(compile.c_str()), 0);

    RandomStream random(6, RandomPurpose::test);
    std::ostringstream input;
    std::ostringstream expected;
    for (int trial = 0; trial < 400; ++trial)
    {
        std::vector<std::uint64_t> flipped;
        std::vector<ProtectedWords> layers;
        for (std::size_t l = 0; l < memory.plan.size(); ++l)
        {
            const LayerProtection& plan = memory.plan[l];
            layers.push_back(ProtectedWords::of_stored(plan.code, plan.word_bits, memory.layers[l].words,
                                                       memory.layers[l].checks));
            // None, one, and more than codes correct.
            const std::uint64_t upsets = trial == 0 ? 0 : random.below(4);
            for (std::uint64_t i = 0; i < upsets; ++i)
            {
                const std::uint64_t bit = random.below(layers.back().bits());
                layers.back().flip(bit);
                flipped.push_back(place(memory, l, bit));
            }
        }
        input << flipped.size();
        for (const std::uint64_t bit : flipped)
            input << " " << bit;
        input << "\n";
        for (const ProtectedWords& words : layers)
        {
            DecodedCounts counts;
            const auto decoded = words.decode(&counts);
            expected << counts.corrected << " " << counts.detected;
            for (const std::uint32_t word : decoded)
                expected << " " << std::hex << word << std::dec;
            expected << "\n";
        }
    }
    std::ofstream(folder / "upsets") << input.str();
    const std::string run =
        in + "/decode " + in + "/protected_memory.bin < " + in + "/upsets > " + in + "/decoded";
    ASSERT_EQ(std::system(run.c_str()), 0);
    EXPECT_TRUE(read_file(folder / "decoded") == expected.str());
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace flipstorm
