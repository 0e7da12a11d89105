#include "jobs/campaign_description.hpp"

#include <fmt/format.h>

#include <sstream>
#include <toml.hpp>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/log.hpp"
#include "jobs/job_print.hpp"

namespace flipstorm
{
namespace
{

std::string quoted(std::string text)
{
    return toml_text(KeyRef(&text));
}

/// The job between lines of three apostrophes, where it holds none.
std::string block(const std::string& text)
{
    return text.find("'''") == std::string::npos ? "'''\n" + text + "'''" : quoted(text);
}

std::string whole(const toml::value& table, const char* key)
{
    return toml::find<std::string>(table, key);
}

std::uint64_t count(const toml::value& table, const char* key)
{
    return static_cast<std::uint64_t>(toml::find<std::int64_t>(table, key));
}

std::optional<std::time_t> instant(const toml::value& table, const char* key)
{
    if (!table.contains(key)) return std::nullopt;
    return static_cast<std::time_t>(toml::find<std::int64_t>(table, key));
}

}  // namespace

std::string describe_campaign(const CampaignDescription& d)
{
    std::string text = "# Written by flipstorm inject, for flipstorm status.\n";
    const auto add = [&text](const char* key, const std::string& value) {
        text += fmt::format("{} = {}\n", key, value);
    };
    add("stage_sha256", quoted(d.stage_sha256));
    add("model_sha256", quoted(d.model_sha256));
    add("dataset_sha256", quoted(d.dataset_sha256));
    add("model_file", quoted(d.model_file));
    add("images", std::to_string(d.images));
    add("faults", std::to_string(d.faults));
    add("chunks", std::to_string(d.chunks));
    add("starts", std::to_string(d.starts));
    add("started", std::to_string(d.started));
    add("ranks", std::to_string(d.ranks));
    add("placement", quoted(d.placement));
    if (d.deadline) add("deadline", std::to_string(*d.deadline));
    if (d.ended) add("ended", std::to_string(*d.ended));
    add("reason", quoted(d.reason));
    add("job", block(d.job));
    return text;
}

CampaignDescription parse_description(const std::string& text, const std::string& name)
{
    try
    {
        std::istringstream stream(text, std::ios::binary);
        const toml::value table = toml::parse(stream, name);
        CampaignDescription d;
        d.stage_sha256 = whole(table, "stage_sha256");
        d.model_sha256 = whole(table, "model_sha256");
        d.dataset_sha256 = whole(table, "dataset_sha256");
        d.model_file = whole(table, "model_file");
        d.images = count(table, "images");
        d.faults = count(table, "faults");
        d.chunks = count(table, "chunks");
        d.starts = count(table, "starts");
        d.started = static_cast<std::time_t>(count(table, "started"));
        d.ranks = count(table, "ranks");
        d.placement = whole(table, "placement");
        d.deadline = instant(table, "deadline");
        d.ended = instant(table, "ended");
        d.reason = whole(table, "reason");
        d.job = whole(table, "job");
        return d;
    }
    catch (const std::exception&)
    {
        throw FileError("'{}' is no description of a campaign, or not a whole one", name);
    }
}

std::optional<CampaignDescription> read_description(const std::filesystem::path& out)
{
    const std::filesystem::path file = out / kDescriptionFile;
    std::error_code error;
    if (!std::filesystem::exists(file, error)) return std::nullopt;
    return parse_description(read_file(file), file.string());
}

void write_description(const std::filesystem::path& out, const CampaignDescription& description)
{
    try
    {
        write_file_durably(out / kDescriptionFile, describe_campaign(description));
    }
    catch (const FileError& error)
    {
        log_warning("'flipstorm status' will know less: {}", error.what());
    }
}

}  // namespace flipstorm
