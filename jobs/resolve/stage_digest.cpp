#include "jobs/resolve/stage_digest.hpp"

#include <fmt/format.h>

#include "engine/base/sha256.hpp"
#include "jobs/job_file/job_print.hpp"

namespace flipstorm
{

std::string train_digest(const Job& job, const std::string& dataset_sha256, const std::string& start_sha256)
{
    Job relevant = job;
    relevant.data.test_images = 0;  // what a campaign looks at
    return sha256_hex("flipstorm train 2\n" +
                      canonical_tables(relevant, {"data", "model", "train", "train.fault_aware"}) +
                      dataset_sha256 + (start_sha256.empty() ? "" : "\nfrom " + start_sha256));
}

std::string import_digest(const Job& job, const std::string& model_sha256, const std::string& dataset_sha256)
{
    Job relevant = job;
    relevant.data.test_images = 0;  // what a campaign looks at
    relevant.data.train_images = 0;
    return sha256_hex("flipstorm import 1\n" + canonical_tables(relevant, {"data"}) + model_sha256 +
                      dataset_sha256);
}

std::string convert_digest(const Job& job, const std::string& model_sha256, const std::string& dataset_sha256)
{
    Job own = job;
    std::string formats;
    for (const char* const name : {"model.format", "model.formats", "model.integer_bits", "model.scale"})
    {
        const KeySpec& spec = *find_key(name);
        if (!is_left_unsaid(spec, job)) formats += fmt::format("{} = {}\n", name, toml_text(spec.bind(own)));
    }
    return sha256_hex("flipstorm convert 1\n" + formats + model_sha256 + dataset_sha256);
}

std::string forest_digest(const Job& job, const std::string& campaign_content,
                          const std::string& model_sha256)
{
    Job relevant = job;
    relevant.forest.validate_with.clear();  // judges what is made
    return sha256_hex("flipstorm forest 2\n" + canonical_tables(relevant, {"forest"}) +
                      fmt::format("harden.tolerance = {}\n", job.harden.tolerance) + campaign_content +
                      model_sha256);
}

std::string harden_digest(const Job& job, const std::string& forest_content,
                          const std::string& campaign_content, const std::string& model_sha256)
{
    return sha256_hex("flipstorm harden 2\n" + canonical_tables(job, {"harden", "environment"}) + forest_content +
                      campaign_content + model_sha256);
}

}  // namespace flipstorm
