// Values of --set, a line each, on top of a job that is whole.

#include <sstream>

#include "harness.hpp"
#include "jobs/job_file/job_file.hpp"
#include "jobs/job_file/job_print.hpp"

namespace
{

constexpr const char* kJob =
    "[job]\nname = \"fuzz\"\n[data]\nkind = \"synthetic\"\n[model]\narch = \"lenet5\"\n";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    return fuzz::accept_errors([&] {
        static const std::filesystem::path file = fuzz::write_input("job.toml", kJob);
        std::vector<std::string> overrides;
        std::istringstream lines(fuzz::text_of(data, size));
        for (std::string line; std::getline(lines, line);)
            overrides.push_back(line);
        const std::string canonical = canonical_job(read_job(file, overrides));
        fuzz::expect(canonical_job(read_job_text(canonical, "canonical")) == canonical,
                     "the canonical text to be the same job");
    });
}
