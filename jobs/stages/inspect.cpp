#include "jobs/stages/inspect.hpp"

#include <fmt/format.h>

#include "engine/base/printable_text.hpp"
#include "engine/base/standard_output.hpp"
#include "hdf5_schema/file_summary.hpp"
#include "hdf5_schema/reseal.hpp"
#include "hdf5_schema/schema.hpp"
#include "jobs/campaign/fault_list.hpp"
#include "jobs/resolve/inputs.hpp"

namespace flipstorm
{

void run_inspect(const std::filesystem::path& file, bool seal, const std::filesystem::path& faults)
{
    if (!faults.empty())
    {
        write_fault_list(file, faults);
        print_result("{}\n", printable(faults.string()));
        if (!seal) return;
    }
    if (!seal)
    {
        print_result("{}", summarise_file(file));
        return;
    }
    seal_anew(file, [&file](const std::filesystem::path& copy) {
        if (filetype_of(copy) == model_spec().filetype)
            static_cast<void>(from_record(read_model(copy), file));
    });
    print_result("{} is sealed as it is; whether it is as it was meant to be, its seal cannot tell\n",
                 printable(file.string()));
}

}  // namespace flipstorm
