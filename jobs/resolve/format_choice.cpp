#include "jobs/resolve/format_choice.hpp"

#include <filesystem>

#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/schema.hpp"

namespace flipstorm
{

FormatChoice format_choice(const ModelTable& model)
{
    FormatChoice choice;
    choice.format = number_format(model.format);
    for (const auto& [layer, format] : model.formats)
        choice.of_layer[layer] = number_format(format);
    choice.integer_bits = static_cast<int>(model.integer_bits);
    choice.scale_per_channel = model.scale == "channel";
    return choice;
}

bool fine_tunes(const Job& job)
{
    const std::string floats = to_string(NumberFormat::fp32);
    if (job.model.format == floats || job.model.file.empty() || !std::filesystem::exists(job.model.file))
        return false;
    return H5Reader(job.model.file, model_spec()).text_attribute("/", "format") == floats;
}

}  // namespace flipstorm
