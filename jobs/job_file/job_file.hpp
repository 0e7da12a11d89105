#pragma once
// Reading job files: from TOML to a sound, resolved Job, or to the list of everything that is wrong with it.

#include <filesystem>
#include <string>
#include <vector>

#include "jobs/job_file/job.hpp"
#include "jobs/job_file/job_variants.hpp"

namespace flipstorm
{

/**
 * Read a job file, change it by overrides, check it whole and resolve it.
 *
 * An override is `table.key=value`, as given to --set. The value is written as in TOML; quotes may be left
 * out around strings (`job.name=night`, `harden.options=[none,sec_all]`). The last override of a key counts;
 * that of an entry of a table (`model.formats.conv1=fxp16`) leaves the other entries.
 * Paths stay as they are given: relative ones are relative to the current folder, and `~` is not expanded.
 *
 * A table of the list `[[variant]]` has a `name` and the keys that the variant changes, under their full
 * names: `model.activation = "relu6"`. It is the job of the file with these, and then the overrides, put on
 * top. With variants the rules between keys hold for each of them, and not for what they have in common.
 *
 * \throws JobError with one problem a line, all of them at once: `FILE:LINE: problem`, `FILE: problem` for
 * what is missing, `--set key=value: problem` for an override. A syntax error, `FILE:LINE:COLUMN: …`, hides
 * what else is wrong in the file.
 */
JobFile read_job_file(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});

/// The job of a file, variants left out. \throws JobError as read_job_file.
Job read_job(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});

/// The same for the text of a job file; `name` stands for the file in messages. \throws JobError
Job read_job_text(const std::string& text, const std::string& name);

}  // namespace flipstorm
