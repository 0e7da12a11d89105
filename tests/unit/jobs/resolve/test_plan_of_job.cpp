#include "jobs/resolve/plan_of_job.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/network/builders.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/status/status_count.hpp"

namespace flipstorm
{
namespace
{

const Network& lenet5()
{
    static const Network network =
        build_network("lenet5", NumberFormat::fp32, {1, 28, 28}, 10, {{0.3F}, {0.3F}}, 1);
    return network;
}

Job job_of(const std::string& campaign, const std::string& transient = "")
{
    return read_job_text(
        "[data]\nkind = \"synthetic\"\n[campaign]\n" + campaign + "[transient]\n" + transient, "test");
}

/// The header that campaign.h5 has of a plan.
CampaignHeader header_of(const Job& job, const JobPlan& plan)
{
    CampaignHeader header;
    header.target = job.campaign.target;
    header.fault_model = plan.transient ? "transient" : job.campaign.fault_model;
    const UpsetModel upset = upset_model(job.campaign.fault_model, job.campaign.upset_bits);
    header.upset_bits = plan.transient ? 0 : upset.bits;
    header.tolerances = job.campaign.tolerances;
    const std::vector<std::string>& chosen = job.campaign.layers;
    for (const InjectableLayer& layer : plan.layers)
    {
        const bool in = chosen.empty() || std::find(chosen.begin(), chosen.end(), layer.name) != chosen.end();
        header.layers.name.push_back(layer.name);
        header.layers.weights.push_back(layer.weights);
        header.layers.word_bits.push_back(layer.word_bits);
        header.layers.injected.push_back(in ? 1 : 0);
    }
    for (const Stratum& stratum : plan.plan->strata())
    {
        header.strata.layer.push_back(stratum.layer);
        header.strata.bit.push_back(stratum.bit);
        header.strata.population.push_back(stratum.population);
    }
    return header;
}

std::vector<std::vector<std::uint64_t>> faults_of(const JobPlan& plan)
{
    std::vector<std::vector<std::uint64_t>> faults(plan.plan->strata().size(),
                                                   std::vector<std::uint64_t>(plan.layers.size(), 0));
    for (const Plan::Draw& draw : plan.plan->draws())
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

TEST(PlanOfJob, PopulationsOfStatusAreThePlans)
{
    for (const std::string& text : weight_campaigns())
    {
        SCOPED_TRACE(text);
        const Job job = job_of(text);
        Blueprint blueprint{job, lenet5(), plan_of_job(job, lenet5(), 100)};
        EXPECT_EQ(blueprint.plan.images_per_fault, 100U);
        EXPECT_EQ(blueprint.plan.transient, nullptr);
        std::vector<std::uint64_t> want;
        for (const Stratum& stratum : blueprint.plan.plan->strata())
            want.push_back(stratum.population);
        CampaignStatus running;
        list_parts(running, blueprint);
        EXPECT_EQ(strata_of(running), want);
        EXPECT_EQ(running.faults_planned, blueprint.plan.plan->size());
        CampaignStatus finished;
        list_parts(finished, header_of(job, blueprint.plan), faults_of(blueprint.plan));
        EXPECT_EQ(parts_of(finished), parts_of(running));
        EXPECT_EQ(finished.faults_planned, running.faults_planned);
        const bool all = job.campaign.layers.empty();
        for (const StratumPart& part : finished.parts)
            EXPECT_TRUE(all || part.layer == 0 || part.layer == 3) << running.layers[part.layer];
    }
}

TEST(PlanOfJob, HoldsTransientFaultsOfEveryTarget)
{
    for (const char* const target : {"feature_maps", "instructions"})
        for (const char* const scheme : {"network_wise", "layer_wise"})
            for (const char* const layers : {"", "layers = [\"fc1\", \"conv2\"]\n"})
            {
                SCOPED_TRACE(fmt::format("{} {} {}", target, scheme, layers));
                const Job job = job_of(
                    fmt::format("target = \"{}\"\nscheme = \"{}\"\nlimit = 900\n{}", target, scheme, layers),
                    "images_per_fault = 3\n");
                Blueprint blueprint{job, lenet5(), plan_of_job(job, lenet5(), 100)};
                const JobPlan& plan = blueprint.plan;
                ASSERT_NE(plan.transient, nullptr);
                EXPECT_EQ(plan.images_per_fault, 3U);
                EXPECT_EQ(plan.plan->size(), plan.transient->plan().size());
                std::vector<std::uint64_t> want;
                for (const Stratum& stratum : plan.plan->strata())
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

TEST(PlanOfJob, BitsAreClassedByTheNetworksFormat)
{
    // The job names the format of a network that it trains; what model.file holds is the network's own
    // affair.
    Job job = job_of("scheme = \"data_unaware\"\n");
    const auto chunks = [&job] { return plan_of_job(job, lenet5(), 100).plan->chunks().size(); };
    const std::size_t want = chunks();
    job.model.format = "of another network";
    EXPECT_EQ(plan_options(job, NumberFormat::fp32, 100).followed_by_bit.size(), 32U);
    EXPECT_EQ(chunks(), want);
}

TEST(PlanOfJob, FaultyWeightsAreThoseOfThePlan)
{
    const Job job = job_of("scheme = \"data_unaware\"\nlimit = 320\n");
    const JobPlan plan = plan_of_job(job, lenet5(), 100);
    std::size_t huge = 0;
    for (std::uint64_t i = 0; i < plan.plan->size(); ++i)
    {
        const FaultyWeight weight = faulty_weight(lenet5(), plan.layers, *plan.plan, FaultIndex(i));
        const WeightFault fault = plan.plan->fault(FaultIndex(i));
        const InjectableLayer& layer = plan.layers[static_cast<std::size_t>(fault.layer.value())];
        EXPECT_EQ(weight.fault.parameter, fault.parameter);
        EXPECT_EQ(weight.before, lenet5().parameters[layer.weight].values[fault.parameter]);
        huge += fault.bit == 30 && weight.after > 1e18F ? 1 : 0;
        EXPECT_EQ(weight.after == -weight.before, fault.bit == 31);
    }
    EXPECT_GT(huge, 0U);
}

}  // namespace
}  // namespace flipstorm
