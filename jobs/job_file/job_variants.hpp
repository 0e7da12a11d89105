#pragma once
// Variants of a job: networks or campaigns that differ in a few keys, to be run and compared by one command.

#include <string>
#include <vector>

#include "jobs/job_file/job.hpp"

namespace flipstorm
{

/// One variant, resolved: an ordinary job whose name is JOB.VARIANT and whose out folder is OUT/VARIANT.
struct JobVariant
{
    std::string name;
    Job job;
};

/// What a job file asks for.
struct JobFile
{
    Job job;                           ///< the job; with variants, what they have in common
    std::vector<JobVariant> variants;  ///< in the order of the file; empty: the job is run as it is

    /// Put all results into another folder, those of a variant into OUT/VARIANT. A model, campaign or
    /// forest that a variant takes from the job's folder is taken from there, too.
    void set_out(const std::string& out);
};

/// True for letters, digits, '_', '.' and '-', not beginning with '.' or '-', 1 to 100 of them.
bool is_folder_name(const std::string& name);

/// What is wrong with an out folder, as the rest of a sentence ("is empty; …"); empty if nothing is. One that
/// looks like an option is one that was swallowed, or will be taken for one by the next program.
std::string out_folder_problem(const std::string& out);

/// What is wrong with a variant's name, as the rest of a sentence ("names a folder: …"); empty if nothing is.
/// The names that flipstorm itself uses in an out folder are taken.
std::string variant_name_problem(const std::string& name);

/// The variant of that name. \throws JobError naming the nearest one, or all, if there is none.
const JobVariant& find_variant(const JobFile& file, const std::string& name);

/// The keys in which a variant differs from what the variants have in common, name and folder aside, in the
/// order of the keys: `model.activation = "relu6"`.
std::vector<std::string> variant_changes(const JobFile& file, const JobVariant& variant);

/// The job file as TOML, every key with its meaning as a comment, then a [[variant]] with its changes for
/// each. Reading it back gives the same jobs.
std::string print_job_file(const JobFile& file);

}  // namespace flipstorm
