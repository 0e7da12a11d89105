#include "jobs/campaign/kinds/kind.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/network/network_format.hpp"
#include "jobs/campaign/kinds/feature_maps.hpp"
#include "jobs/campaign/kinds/weights.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/resolve/plan_options.hpp"
#include "jobs/status/status_count.hpp"
#include "tests/unit/jobs/campaign/lenet5_campaign.hpp"

namespace flipstorm
{
namespace
{

using test::lenet5;

Job job_of(const std::string& campaign, const std::string& transient = "")
{
    return test::campaign_job(campaign + "[transient]\n" + transient);
}

/// The header that campaign.h5 has of a plan.
CampaignHeader header_of(const Job& job, const CampaignFaults& plan)
{
    CampaignHeader header;
    header.target = job.campaign.target;
    header.fault_model = job.campaign.fault_model;
    header.upset_bits = upset_model(job.campaign.fault_model, job.campaign.upset_bits).bits;
    header.tolerances = job.campaign.tolerances;
    const std::vector<std::string>& chosen = job.campaign.layers;
    for (const InjectableLayer& layer : plan.layers())
    {
        const bool in = chosen.empty() || std::find(chosen.begin(), chosen.end(), layer.name) != chosen.end();
        header.layers.name.push_back(layer.name);
        header.layers.weights.push_back(layer.weights);
        header.layers.word_bits.push_back(layer.word_bits);
        header.layers.injected.push_back(in ? 1 : 0);
    }
    for (const Stratum& stratum : plan.plan().strata())
    {
        header.strata.layer.push_back(stratum.layer);
        header.strata.bit.push_back(stratum.bit);
        header.strata.population.push_back(stratum.population);
    }
    return header;
}

std::vector<std::vector<std::uint64_t>> faults_of(const CampaignFaults& plan)
{
    std::vector<std::vector<std::uint64_t>> faults(plan.plan().strata().size(),
                                                   std::vector<std::uint64_t>(plan.layers().size(), 0));
    for (const Plan::Draw& draw : plan.plan().draws())
        faults[static_cast<std::size_t>(draw.stratum.value())][static_cast<std::size_t>(draw.layer.value())] =
            draw.count;
    return faults;
}

/// Of each part that holds faults: stratum, layer, population.
std::vector<std::vector<std::uint64_t>> parts_of(const CampaignStatus& status)
{
    std::vector<std::vector<std::uint64_t>> parts;
    for (const StratumPart& part : status.parts)
        parts.push_back({part.stratum, part.layer, part.population});
    std::sort(parts.begin(), parts.end());
    return parts;
}

/// Populations by stratum.
std::vector<std::uint64_t> strata_of(const CampaignStatus& status)
{
    std::vector<std::uint64_t> strata(status.strata.size(), 0);
    for (const StratumPart& part : status.parts)
        strata[part.stratum] += part.population;
    return strata;
}

TEST(Kinds, EveryTargetHasOneThatSaysSo)
{
    const std::vector<std::string> names = target_names();
    ASSERT_EQ(names.size(), kTargets);
    for (std::size_t t = 0; t < kTargets; ++t)
    {
        const TargetTraits& traits = target_named(names[t]);
        EXPECT_EQ(static_cast<std::size_t>(traits.target), t);
        EXPECT_EQ(kind_named(names[t]).target(), traits.target);
        EXPECT_EQ(&kind_of(traits.target), &kind_named(names[t]));
        if (traits.target == Target::protected_memory) continue;  // needs a file: test_protected_memory.cpp
        const Job job = job_of("target = \"" + names[t] + "\"\n");
        EXPECT_EQ(&kind_of(job), &kind_named(names[t]));
        EXPECT_EQ(kind_of(job).identity(job).empty(), !traits.transient);
        EXPECT_EQ(kind_of(job).in_memory(), !traits.transient);
    }
    EXPECT_THROW((void)kind_named("neurons"), JobError);
    EXPECT_EQ(find_target("neurons"), nullptr);
}

// What one rank encodes another decodes, and the bytes are those that the journal has always had.
TEST(Kinds, RecordsComeBackFromTheirBytes)
{
    for (const std::string& name : target_names())
    {
        if (name == "protected") continue;
        SCOPED_TRACE(name);
        const Job job = job_of("target = \"" + name + "\"\nlimit = 900\n", "images_per_fault = 100\n");
        const std::unique_ptr<CampaignFaults> faults = kind_of(job).plan(job, lenet5(), 100);
        ASSERT_EQ(faults->images_per_fault(), 100U);
        ChunkRecord record;
        record.outcomes = {{{100, 90, 8, 2}, {}, false, 0.05}, {{100, 95, 0, 0}, {}, false, -0.25}};
        if (!kind_of(job).judged_by_tolerance()) record.masked = {60, 100};
        const std::string bytes = faults->encode(record);
        const ChunkRecord got = faults->decode(bytes, 2);
        EXPECT_EQ(faults->encode(got), bytes);
        EXPECT_EQ(got.masked, record.masked);
        ASSERT_EQ(got.outcomes.size(), 2U);
        for (std::size_t i = 0; i < 2; ++i)
        {
            EXPECT_TRUE(got.outcomes[i].tally == record.outcomes[i].tally);
            EXPECT_EQ(got.outcomes[i].drop, record.outcomes[i].drop);
        }
        EXPECT_THROW((void)faults->decode(bytes, 3), FileError);
        EXPECT_THROW((void)faults->decode(bytes.substr(1), 2), FileError);
    }
}

TEST(Kinds, ErrorValuesAreThoseOfTheTable)
{
    TransientTable table;
    for (const char* const name : {"uniform", "power_law"})
    {
        table.value = name;
        table.magnitude = 7;
        EXPECT_FALSE(error_value_text(table).empty());
        EXPECT_EQ(std::holds_alternative<UniformError>(error_value(table)), table.value == "uniform");
    }
    EXPECT_EQ(error_value_text(table), "of the power law " + table.power_law);
    table.value = "table";
    table.table = "no/such.csv";
    EXPECT_EQ(error_value_text(table), "from 'no/such.csv'");
    EXPECT_THROW((void)error_value(table), FileError);
    table.value = "normal";
    EXPECT_THROW((void)error_value(table), JobError);
}

std::vector<std::string> weight_campaigns()
{
    std::vector<std::string> campaigns;
    for (const char* scheme : {"network_wise", "layer_wise", "data_unaware"})
        for (const char* model :
             {"bit_flip", "stuck_at", "stuck_at_0", "stuck_at_1", "adjacent_bits", "random_bits"})
            for (const char* layers : {"", "layers = [\"fc2\", \"conv1\"]\n"})
                campaigns.push_back(std::string("scheme = \"") + scheme + "\"\nfault_model = \"" + model +
                                    "\"\nupset_bits = 3\nlimit = 2000\n" + layers);
    return campaigns;
}

TEST(Kinds, PopulationsOfStatusAreThePlans)
{
    for (const std::string& text : weight_campaigns())
    {
        SCOPED_TRACE(text);
        const Job job = job_of(text);
        const Blueprint blueprint{job, lenet5(), kind_of(job).plan(job, lenet5(), 100)};
        EXPECT_EQ(blueprint.faults->images_per_fault(), 100U);
        std::vector<std::uint64_t> want;
        for (const Stratum& stratum : blueprint.faults->plan().strata())
            want.push_back(stratum.population);
        CampaignStatus running;
        list_parts(running, blueprint);
        EXPECT_EQ(strata_of(running), want);
        EXPECT_EQ(running.faults_planned, blueprint.faults->plan().size());
        CampaignStatus finished;
        list_parts(finished, header_of(job, *blueprint.faults), faults_of(*blueprint.faults));
        EXPECT_EQ(parts_of(finished), parts_of(running));
        EXPECT_EQ(finished.faults_planned, running.faults_planned);
        const bool all = job.campaign.layers.empty();
        for (const StratumPart& part : finished.parts)
            EXPECT_TRUE(all || part.layer == 0 || part.layer == 3) << running.layers[part.layer];
    }
}

TEST(Kinds, HoldsTransientFaultsOfEveryTarget)
{
    for (const char* const target : {"feature_maps", "instructions"})
        for (const char* const scheme : {"network_wise", "layer_wise"})
            for (const char* const layers : {"", "layers = [\"fc1\", \"conv2\"]\n"})
            {
                SCOPED_TRACE(fmt::format("{} {} {}", target, scheme, layers));
                const Job job = job_of(
                    fmt::format("target = \"{}\"\nscheme = \"{}\"\nlimit = 900\n{}", target, scheme, layers),
                    "images_per_fault = 3\n");
                const Blueprint blueprint{job, lenet5(), kind_of(job).plan(job, lenet5(), 100)};
                const CampaignFaults& plan = *blueprint.faults;
                EXPECT_EQ(plan.images_per_fault(), 3U);
                std::vector<std::uint64_t> want;
                for (const Stratum& stratum : plan.plan().strata())
                    want.push_back(stratum.population);
                CampaignStatus running;
                list_parts(running, blueprint);
                EXPECT_EQ(strata_of(running), want);
                CampaignStatus finished;
                list_parts(finished, header_of(job, plan), faults_of(plan));
                EXPECT_EQ(strata_of(finished), want);
                ASSERT_EQ(finished.parts.size(), running.parts.size());
                for (std::size_t i = 0; i < finished.parts.size(); ++i)
                {
                    // Of a stratum of several layers the file only knows where the faults fell.
                    const auto population = static_cast<double>(running.parts[i].population);
                    EXPECT_NEAR(static_cast<double>(finished.parts[i].population) / population, 1, 0.5);
                    EXPECT_TRUE(finished.parts[i].hits.empty());
                }
            }
}

TEST(Kinds, BitsAreClassedByTheNetworksFormat)
{
    // The job names the format of a network that it trains; what model.file holds is the network's own
    // affair.
    Job job = job_of("scheme = \"data_unaware\"\n");
    const auto chunks = [&job] { return kind_of(job).plan(job, lenet5(), 100)->plan().chunks().size(); };
    const std::size_t want = chunks();
    job.model.format = "of another network";
    const std::vector<InjectableLayer> layers = injectable_layers(lenet5());
    const PlanOptions options = plan_options(job, layers, 100);
    ASSERT_EQ(options.followed_by_bit.size(), layers.size());
    for (const std::vector<double>& by_bit : options.followed_by_bit)
        EXPECT_EQ(by_bit.size(), 32U);
    EXPECT_EQ(chunks(), want);
}

TEST(Kinds, BitsOfLayersInSeveralFormatsAreClassedByLayer)
{
    FormatChoice choice;
    choice.format = NumberFormat::fp16;
    choice.of_layer = {{"conv2", NumberFormat::fp8_e4m3}, {"fc3", NumberFormat::fp32}};
    const Network network = stored_as(lenet5(), choice, std::vector<float>(lenet5().graph.nodes().size()));
    const std::vector<InjectableLayer> layers = injectable_layers(network);
    const Job job = job_of("scheme = \"data_unaware\"\n");
    const PlanOptions options = plan_options(job, layers, 100);
    const std::size_t bits[] = {16, 8, 16, 16, 32};
    ASSERT_EQ(options.followed_by_bit.size(), 5U);
    std::size_t strata = 0;
    for (std::size_t l = 0; l < 5; ++l)
    {
        EXPECT_EQ(options.followed_by_bit[l].size(), bits[l]);
        EXPECT_EQ(options.followed_by_bit[l][bits[l] - 2], 0.5) << "the top bit of the exponent";
        strata += bits[l];
    }
    const std::unique_ptr<CampaignFaults> planned = kind_of(job).plan(job, network, 100);
    EXPECT_EQ(planned->plan().strata().size(), strata);
}

TEST(Kinds, FaultyWeightsAreThoseOfThePlan)
{
    const Job job = job_of("scheme = \"data_unaware\"\nlimit = 320\n");
    const std::unique_ptr<CampaignFaults> planned = kind_of(job).plan(job, lenet5(), 100);
    const CampaignFaults& plan = *planned;
    std::size_t huge = 0;
    for (std::uint64_t i = 0; i < plan.plan().size(); ++i)
    {
        const FaultyWeight weight = faulty_weight(lenet5(), plan.layers(), plan.plan(), FaultIndex(i));
        const WeightFault fault = plan.plan().fault(FaultIndex(i));
        const InjectableLayer& layer = plan.layers()[static_cast<std::size_t>(fault.layer.value())];
        EXPECT_EQ(weight.fault.parameter, fault.parameter);
        EXPECT_EQ(weight.before, lenet5().parameters[layer.weight].values()[fault.parameter]);
        huge += fault.bit == 30 && weight.after > 1e18F ? 1 : 0;
        EXPECT_EQ(weight.after == -weight.before, fault.bit == 31);
    }
    EXPECT_GT(huge, 0U);
}

}  // namespace
}  // namespace flipstorm
