// The text of a job file, as `flipstorm run` reads it. One that is accepted is the same job when it is
// printed and read again.

#include "harness.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_print.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    return fuzz::accept_errors([&] {
        const std::filesystem::path file = fuzz::write_input("job.toml", fuzz::text_of(data, size));
        const JobFile read = read_job_file(file);
        const std::string canonical = canonical_job(read.job);
        fuzz::expect(canonical_job(read_job_text(print_job(read.job), "printed")) == canonical,
                     "the printed job to be the same");
        // With variants, what they have in common need not keep the rules between keys.
        if (!read.variants.empty()) return;
        fuzz::expect(canonical_job(read_job_text(canonical, "canonical")) == canonical,
                     "the canonical text to be the same job");
    });
}
