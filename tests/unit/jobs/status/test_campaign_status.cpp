#include "jobs/status/campaign_status.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "analysis/json_text.hpp"
#include "analysis/tables.hpp"
#include "engine/base/error.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_print.hpp"
#include "jobs/status/status_print.hpp"

namespace flipstorm
{
namespace
{

CampaignDescription sample_description()
{
    CampaignDescription d;
    d.stage_sha256 = "abc";
    d.model_sha256 = "def";
    d.dataset_sha256 = "012";
    d.model_file = "/models/a \"good\" one.h5";
    d.images = 10000;
    d.faults = 59811;
    d.chunks = 321;
    d.starts = 3;
    d.started = 1700000000;
    d.ranks = 4;
    d.placement = "4 rank(s), cpu, 2 thread(s) each";
    d.deadline = 1700003600;
    d.job = canonical_job(read_job_text("[data]\nkind = \"synthetic\"\n", "test"));
    return d;
}

TEST(CampaignDescription, ComesBackAsItWas)
{
    CampaignDescription d = sample_description();
    for (const bool ended : {false, true})
    {
        if (ended)
        {
            d.ended = 1700001000;
            d.reason = "signal SIGUSR1";
            d.job += "# '''\n";  // cannot stand between three apostrophes
        }
        const CampaignDescription back = parse_description(describe_campaign(d), "test");
        EXPECT_EQ(describe_campaign(back), describe_campaign(d));
        EXPECT_EQ(back.job, d.job);
        EXPECT_EQ(back.model_file, d.model_file);
        EXPECT_EQ(back.faults, d.faults);
        EXPECT_EQ(back.deadline, d.deadline);
        EXPECT_EQ(back.ended, d.ended);
        EXPECT_EQ(back.reason, d.reason);
        EXPECT_EQ(canonical_job(read_job_text(back.job, "test")), sample_description().job);
    }
}

TEST(CampaignDescription, RefusesWhatIsNone)
{
    EXPECT_THROW((void)parse_description("", "test"), FileError);
    EXPECT_THROW((void)parse_description("stage_sha256 = 3\n", "test"), FileError);
    const std::string whole = describe_campaign(sample_description());
    EXPECT_THROW((void)parse_description(whole.substr(0, whole.size() / 2), "test"), FileError);
    const auto refusal = [](const std::string& text) {
        try
        {
            (void)parse_description(text, "test");
        }
        catch (const FileError& error)
        {
            return std::string(error.what());
        }
        return std::string("not refused");
    };
    const std::string started = "started = " + std::to_string(sample_description().started);
    const auto with_start = [&](const std::string& time) {
        std::string text = whole;
        return text.replace(text.find(started), started.size(), "started = " + time);
    };
    EXPECT_EQ(refusal(with_start("253402300799")), "not refused");
    for (const char* time : {"99999999999999999999", "253402300800", "-1"})
        EXPECT_NE(refusal(with_start(time)).find("no time between 1970 and 9999"), std::string::npos) << time;
    std::string broken = whole;
    broken[broken.find("[job]")] = '\xff';
    EXPECT_NE(refusal(broken).find("not UTF-8"), std::string::npos);
    EXPECT_NE(refusal("x = " + std::string(9000, '[') + "\n" + whole).find("line 1: lists"),
              std::string::npos);
}

TEST(CampaignStatus, StateFollowsFromTheSigns)
{
    SignsOfLife signs;
    EXPECT_EQ(judge_state(signs), CampaignState::absent);
    signs.described = true;
    signs.last = 1000;
    signs.now = 1010;
    EXPECT_EQ(judge_state(signs), CampaignState::starting);
    signs.saved = true;
    EXPECT_EQ(judge_state(signs), CampaignState::running);
    signs.now = 1601;
    EXPECT_EQ(judge_state(signs), CampaignState::silent);
    signs.journal_seconds = 61;
    EXPECT_EQ(judge_state(signs), CampaignState::running) << "ten intervals of the journal are no silence";
    signs.failed = true;
    EXPECT_EQ(judge_state(signs), CampaignState::failed);
    signs.ended = true;
    EXPECT_EQ(judge_state(signs), CampaignState::stopped);
    signs.complete = true;
    EXPECT_EQ(judge_state(signs), CampaignState::complete);
}

TEST(CampaignStatus, ThroughputIsWorkByTime)
{
    const std::vector<SavedWork> saved{{100, 10, 1e9}, {110, 20, 2e9}, {120, 30, 3e9}};
    const Throughput part = throughput(saved, 100, 120);
    EXPECT_DOUBLE_EQ(part.seconds, 20);
    EXPECT_DOUBLE_EQ(part.faults_per_second, 50.0 / 20);
    EXPECT_DOUBLE_EQ(part.macs_per_second, 5e9 / 20);
    EXPECT_DOUBLE_EQ(throughput(saved, 90, 115).faults_per_second, 30.0 / 25);
    EXPECT_DOUBLE_EQ(throughput(saved, 120, 130).faults_per_second, 0);
    EXPECT_DOUBLE_EQ(throughput(saved, 120, 120).seconds, 0);
}

TEST(CampaignStatus, LatelyHoldsTenSegments)
{
    std::vector<SavedWork> saved;
    EXPECT_DOUBLE_EQ(recently(saved, 50, 1000), 50);
    for (int i = 1; i <= 10; ++i)
        saved.push_back({100.0 * i, 1, 1});
    EXPECT_DOUBLE_EQ(recently(saved, 50, 1000), 50) << "all ten, since the start";
    saved.insert(saved.begin(), {60, 1, 1});
    EXPECT_DOUBLE_EQ(recently(saved, 50, 1000), 60);
    EXPECT_DOUBLE_EQ(recently(saved, 80, 1000), 80) << "not before the start";
    for (int i = 0; i < 100; ++i)
        saved.push_back({1000.0 + i, 1, 1});
    EXPECT_DOUBLE_EQ(recently(saved, 50, 1100), 800) << "five minutes hold more than ten";
}

/// Two layers, one stratum each; half of the first is done.
CampaignStatus sample_status()
{
    CampaignStatus status;
    status.state = CampaignState::running;
    status.now = 1700000100;
    status.description = sample_description();
    status.name = "test";
    status.layers = {"conv1", "fc1"};
    status.strata = {{0, -1}, {1, -1}};
    status.tolerances = {0.01, 0.05};
    status.parts = {{0, 0, 100, 20, 10, {4, 2}}, {1, 1, 300, 30, 30, {3, 0}}};
    status.faults_done = 40;
    status.faults_planned = 50;
    status.seconds_left = 4000;
    return status;
}

TEST(CampaignStatus, EstimatesWeighPartsByPopulation)
{
    const CampaignStatus status = sample_status();
    const auto all = [](const StratumPart&) { return true; };
    const ShareEstimate network = estimate_parts(status, 0, all);
    EXPECT_NEAR(network.share, 0.25 * 0.4 + 0.75 * 0.1, 1e-12);
    EXPECT_LT(network.low, network.share);
    EXPECT_GT(network.high, network.share);
    EXPECT_DOUBLE_EQ(network.covered, 1);
    CampaignStatus early = sample_status();
    early.parts[1].done = 0;
    early.parts[1].hits = {0, 0};
    EXPECT_NEAR(estimate_parts(early, 1, all).share, 0.2, 1e-12);
    EXPECT_NEAR(estimate_parts(early, 1, all).covered, 0.25, 1e-12);
}

TEST(CampaignStatus, TextSaysHowFarAndHowSure)
{
    const CampaignStatus status = sample_status();
    const std::string text = status_text(status, "out/x", {});
    EXPECT_NE(text.find("out/x: running; campaign 'test', start 3 at 2023-11-14T22:13:20Z: 4 rank(s)"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("40/50 faults (80.0 %)"), std::string::npos) << text;
    EXPECT_NE(text.find("about 1:06 h left (more than the deadline in 58:20 min)"), std::string::npos)
        << text;
    EXPECT_NE(text.find("40.000"), std::string::npos) << text;  // conv1 at 1 %
    EXPECT_NE(status_text(status, "out/x", {false, 0.05}).find("20.000"), std::string::npos);
    EXPECT_THROW((void)status_text(status, "out/x", {false, 0.02}), JobError);
}

/// The same layers under transient faults; nothing has struck the second yet.
CampaignStatus struck_status()
{
    CampaignStatus status = sample_status();
    status.target = "feature_maps";
    status.parts = {{0, 0, 100, 20, 10, {}}, {1, 1, 300, 30, 0, {}}};
    status.faults_done = 10;
    VulnerabilityCount first({100, 300});
    VulnerabilityCount second({100, 300});
    for (int i = 0; i < 10; ++i)
    {
        const double masked = i < 7 ? 1 : 0;
        const double tolerable = i == 7 ? 1 : 0;
        first.add(0, {1, masked, tolerable, i > 7 ? 1.0 : 0.0, i == 9 ? 1.0 : 0.0, i > 7 ? 1.0 : 0.0});
    }
    status.struck = {{0.25, first.estimate()}, {0.75, second.estimate()}, {1, first.estimate()}};
    return status;
}

TEST(CampaignStatus, TellsTheClassesOfTransientFaults)
{
    CampaignStatus status = struck_status();
    const std::string text = status_text(status, "out/x", {});
    for (const char* const part : {"10/50 faults (20.0 %)", "Inferences under faults in feature maps, so far",
                                   "tolerable SDC %", "95 % interval", "network", "The network's"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
    EXPECT_EQ(text.find("Critical at"), std::string::npos) << text;
    const ShareInterval masked = status.struck[0].seen.masked;
    EXPECT_DOUBLE_EQ(masked.share, 0.7);
    const std::string interval = format_percent(masked.low, 3) + " - " + format_percent(masked.high, 3);
    EXPECT_NE(text.find("70.000"), std::string::npos) << text;
    EXPECT_NE(text.find(interval), std::string::npos) << interval << "\n" << text;
    status.target = "instructions";
    status.state = CampaignState::complete;
    EXPECT_NE(status_text(status, "out/x", {}).find("Inferences under faults in instructions\n"),
              std::string::npos);
}

TEST(CampaignStatus, JsonHoldsTheClassesOfTransientFaults)
{
    const std::string text = status_json(struck_status(), "out/x", {});
    const Json status = Json::parse(text);
    EXPECT_EQ(status["target"], "feature_maps");
    EXPECT_EQ(status["network"], Json::array());
    const Json& network = status["transient"].back();
    EXPECT_EQ(network["layer"], "network");
    EXPECT_EQ(network["tolerable_sdc"]["share"], 0.1);
    EXPECT_EQ(network["critical_sdc"]["share"], 0.1);
    EXPECT_EQ(network["nonfinite"]["share"], 0.1);
    EXPECT_EQ(network["avf"]["share"], 0.2);
    const Json& unseen = status["transient"][1];
    EXPECT_EQ(unseen["layer"], "fc1");
    EXPECT_EQ(unseen["probability"], 0.75);
    EXPECT_EQ(unseen["planned"], 30);
    EXPECT_EQ(unseen["done"], 0);
    EXPECT_EQ(unseen["inferences"], 0);
    EXPECT_TRUE(unseen["masked"]["share"].is_null());
    EXPECT_EQ(text.find("\"critical\""), std::string::npos) << text;
    EXPECT_EQ(Json::parse(status_json(sample_status(), "out/x", {}))["transient"], Json::array());
}

TEST(CampaignStatus, LayersThatTheJobLeftOutHaveNoRow)
{
    CampaignStatus status = sample_status();
    status.layers.insert(status.layers.begin() + 1, "left_out");
    status.parts[1].layer = 2;
    status.strata.assign(41, {0, -1});  // so many that the table is by layer
    EXPECT_EQ(status_text(status, "out/x", {}).find("left_out"), std::string::npos);
}

TEST(CampaignStatus, SaysWhatAnEarlierVersionGotWrong)
{
    CampaignStatus status = sample_status();
    status.segments = 1;
    EXPECT_EQ(status_text(status, "out/x", {}).find("earlier version"), std::string::npos);
    status.chunks_outdated = 3;
    EXPECT_NE(status_text(status, "out/x", {}).find("3 chunk(s) of an earlier version"), std::string::npos);
    EXPECT_NE(status_json(status, "out/x", {}).find("\"chunks_outdated\": 3"), std::string::npos);
}

}  // namespace
}  // namespace flipstorm
