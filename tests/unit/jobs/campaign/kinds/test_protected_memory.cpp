#include "jobs/campaign/kinds/protected_memory.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/base/error.hpp"
#include "jobs/campaign/kinds/protected.hpp"
#include "tests/unit/jobs/campaign/lenet5_campaign.hpp"

namespace flipstorm
{
namespace
{

using test::lenet5;

const std::vector<TensorKind> kWeights{TensorKind::weights};

std::vector<std::uint32_t> words_of(const Network& network, std::size_t layer)
{
    return flipstorm::words_of(struck_tensor(network, injectable_layers(network).at(layer)));
}

/// conv1 under a code with its check bits beside, conv2 with its last bit given up.
ProtectedRecord record_of(const Network& network)
{
    ProtectedRecord record;
    record.protection_sha256 = "p";
    record.provenance.model_sha256 = digest(network);
    record.plan = {{"conv1", 150, 32, {"sec", 0, 0, CodeKind::hamming_sec, 0xC0000000, 28}, 36},
                   {"conv2", 2400, 32, {"forced", 1, 1}}};
    for (std::size_t l = 0; l < 2; ++l)
        record.layers.push_back(protect(record.plan[l], words_of(network, l)));
    return record;
}

TEST(ProtectedMemory, PartsAreWordsThenCheckBits)
{
    const ProtectedMemory memory(lenet5(), kWeights, record_of(lenet5()), "file");
    ASSERT_EQ(memory.parts().size(), 3U);
    EXPECT_EQ(memory.parts()[0].name, "conv1");
    EXPECT_EQ(memory.parts()[1].name, "conv2");
    EXPECT_EQ(memory.parts()[2].name, "conv1:check");
    EXPECT_EQ(memory.parts()[2].weights, 6U);
    EXPECT_EQ(memory.parts()[2].word_bits, 6);
    for (std::int32_t p = 0; p < 3; ++p)
        EXPECT_EQ(memory.parts()[static_cast<std::size_t>(p)].id, LayerId(p));
    EXPECT_EQ(memory.region(LayerId(1)), MemoryRegion::data);
    EXPECT_EQ(memory.region(LayerId(2)), MemoryRegion::check);
    EXPECT_EQ(memory.layer(LayerId(2)), LayerId(0));
    EXPECT_EQ(memory.bits(), 150U * 32 + 36 + 2400 * 32);
}

TEST(ProtectedMemory, ReadsUpsetsAsADecoderWould)
{
    const ProtectedMemory memory(lenet5(), kWeights, record_of(lenet5()), "file");
    const std::vector<std::uint32_t> words = words_of(lenet5(), 0);
    const UpsetReading corrected = memory.read(LayerId(0), 77, bit_flip(31));
    EXPECT_EQ(corrected.verdict, Verdict::corrected);
    EXPECT_TRUE(corrected.changed.empty());
    const UpsetReading open = memory.read(LayerId(0), 77, bit_flip(29));
    ASSERT_EQ(open.changed.size(), 1U);
    EXPECT_EQ(open.changed[0].element, 77U);
    EXPECT_EQ(open.changed[0].word, words[77] ^ 0x20000000U);
    EXPECT_EQ(memory.read(LayerId(2), 5, bit_flip(5)).verdict, Verdict::corrected);
    EXPECT_TRUE(memory.read(LayerId(1), 9, bit_flip(0)).changed.empty());
    // Two bits under one code are more than it corrects.
    EXPECT_FALSE(memory.read(LayerId(0), 77, {0xC0000000, BitEffect::flipped}).changed.empty());
    // A bit that is stuck at what it holds is none.
    const bool one = (words[77] >> 29U & 1U) != 0;
    const BitEffect same = one ? BitEffect::stuck_at_1 : BitEffect::stuck_at_0;
    const BitEffect other = one ? BitEffect::stuck_at_0 : BitEffect::stuck_at_1;
    EXPECT_TRUE(memory.read(LayerId(0), 77, {0x20000000, same}).changed.empty());
    EXPECT_EQ(memory.read(LayerId(0), 77, {0x20000000, other}).changed.size(), 1U);
    EXPECT_THROW(static_cast<void>(memory.read(LayerId(2), 6, bit_flip(0))), Error);
}

TEST(ProtectedMemory, ReadsWholeMemories)
{
    const ProtectedMemory memory(lenet5(), kWeights, record_of(lenet5()), "file");
    const std::uint64_t conv2 = 150 * 32 + 36;
    // A corrected bit, an open one, a check bit of another block, and a bit of conv2.
    const MemoryReading reading = memory.read({3 * 32 + 30, 4 * 32 + 2, 150 * 32 + 35, conv2 + 7 * 32 + 31});
    EXPECT_EQ(reading.corrected, 2U);
    EXPECT_EQ(reading.detected, 0U);
    ASSERT_EQ(reading.changed.size(), 2U);
    EXPECT_EQ(reading.changed[0].tensor, LayerId(0));
    EXPECT_EQ(reading.changed[0].element, 4U);
    EXPECT_EQ(reading.changed[0].word, words_of(lenet5(), 0)[4] ^ 4U);
    EXPECT_EQ(reading.changed[1].tensor, LayerId(1));
    EXPECT_EQ(reading.changed[1].word, (words_of(lenet5(), 1)[7] | 1U) ^ 0x80000000U);
    EXPECT_TRUE(memory.read({}).changed.empty());
    EXPECT_THROW(static_cast<void>(memory.read({memory.bits()})), Error);
}

TEST(ProtectedMemory, TheNetworkReadsWhatIsLeft)
{
    const ProtectedMemory memory(lenet5(), kWeights, record_of(lenet5()), "file");
    Network network = lenet5();
    memory.put_into(network);
    EXPECT_EQ(words_of(network, 0), words_of(lenet5(), 0));
    const std::vector<std::uint32_t> before = words_of(lenet5(), 1);
    const std::vector<std::uint32_t> after = words_of(network, 1);
    for (std::size_t i = 0; i < before.size(); ++i)
        ASSERT_EQ(after[i], before[i] | 1U);
    EXPECT_EQ(words_of(network, 2), words_of(lenet5(), 2));
}

TEST(ProtectedMemory, RefusesAnotherNetwork)
{
    ProtectedRecord record = record_of(lenet5());
    record.plan[1].layer = "conv9";
    EXPECT_THROW(ProtectedMemory(lenet5(), kWeights, record, "file"), DataError);
    record = record_of(lenet5());
    std::swap(record.plan[0].layer, record.plan[1].layer);
    EXPECT_THROW(ProtectedMemory(lenet5(), kWeights, record, "file"), DataError);
}

TEST(ProtectedKind, PlansEveryBitOfTheMemory)
{
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / fmt::format("flipstorm-protected-{}.h5", ::getpid());
    write_protected(file, record_of(lenet5()));
    Job job = test::campaign_job("target = \"protected\"\nprotected = \"" + file.string() +
                                 "\"\nexhaustive = true\nscheme = \"data_unaware\"\n");
    const TargetKind& kind = kind_of(job);
    EXPECT_EQ(&kind, &kind_named("protected"));
    EXPECT_FALSE(kind.in_memory());
    EXPECT_TRUE(kind.judged_by_tolerance());
    EXPECT_EQ(kind.identity(job), "memory " + memory_digest(record_of(lenet5())) + "\n");
    const Network network = kind.network_of(job, lenet5());
    const std::unique_ptr<CampaignFaults> faults = kind.plan(job, network, 10);
    EXPECT_EQ(faults->plan().size(), 150U * 32 + 36 + 2400 * 32);
    EXPECT_EQ(faults->plan().strata().size(), 32U + 32 + 6);
    const auto* planned = std::get<const ProtectedFaults*>(faults->by_kind());
    for (std::uint64_t i = 0; i < planned->plan().size(); i += 997)
    {
        const WeightFault fault = planned->plan().fault(FaultIndex(i));
        const UpsetReading direct = planned->memory().read(fault.layer, fault.parameter, fault.word);
        const UpsetReading reading = planned->reading(FaultIndex(i));
        EXPECT_EQ(reading.verdict, direct.verdict);
        EXPECT_EQ(reading.changed.size(), direct.changed.size());
    }
    job.campaign.protected_memory = (file.string() + ".none");
    EXPECT_THROW(static_cast<void>(kind.plan(job, network, 10)), FileError);
    std::filesystem::remove(file);
}

}  // namespace
}  // namespace flipstorm
