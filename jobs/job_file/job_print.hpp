#pragma once
// A job as text: what --print-config shows, what the files store, what digests are made of, and the
// documentation of the keys. Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "jobs/job_file/job.hpp"
#include "jobs/job_file/job_keys.hpp"

namespace flipstorm
{

/// A value as TOML; numbers read back to the same bits.
std::string toml_text(const KeyRef& value);

/// Strings as a TOML list without its brackets: `"a", "b"`.
std::string list_text(const std::vector<std::string>& values);

/// The job as TOML, every key with its meaning as a comment. Reading it back gives the same job.
std::string print_job(Job job);

/// The job as TOML without comments, keys in a fixed order: what is stored in files and hashed.
std::string canonical_job(Job job);

/**
 * What a stage computes from: `job.seed` and the keys of some tables, one `table.key = value` a line, in the
 * fixed order of the keys, whatever the order of `tables`.
 *
 * Keys that say where files lie or how the job is run (`data.path`, `campaign.memory_budget`,
 * `device.threads`, …: KeySpec::identity) are left out: the content of input files has digests of its own. So
 * are keys that is_left_unsaid() names.
 *
 * \throws Error if a table does not exist.
 */
std::string canonical_tables(Job job, const std::vector<std::string>& tables,
                             const std::vector<KeySpec>& keys = job_keys());

/// Whether digests leave a key out: earlier versions of flipstorm did not know it (KeySpec::since), and the
/// job gives it the value that it has where it is not named, which is how they computed.
bool is_left_unsaid(const KeySpec& spec, Job job);

/// Markdown table of all keys (key, type, default, limits, meaning), between the lines `<!-- job keys -->`
/// and `<!-- /job keys -->`.
std::string document_keys();

}  // namespace flipstorm
