#include "jobs/resolve/format_choice.hpp"

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

}  // namespace flipstorm
