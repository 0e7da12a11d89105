// The schema of model.h5.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "engine/memory/number_format.hpp"
#include "hdf5_schema/schema.hpp"

namespace flipstorm
{
namespace
{

using T = ElementType;

/// What files of networks in fp32 do not have.
AttributeSpec of_other_formats(AttributeSpec spec)
{
    spec.optional = true;
    return spec;
}

DatasetSpec of_other_formats(DatasetSpec spec, std::vector<T> other_types = {})
{
    spec.optional = true;
    spec.other_types = std::move(other_types);
    return spec;
}

}  // namespace

const FileSpec& model_spec()
{
    static const FileSpec spec = {
        "flipstorm/model",
        "model.h5",
        1,
        3,
        2,
        {
            {"/", "arch", T::text, "", "architecture, e.g. `lenet5`; `torchscript` for an imported network"},
            {"/", "format", T::text, "",
             fmt::format("number format of the stored parameters: `{}`; of each in /codes",
                         fmt::join(number_format_names(), "`, `"))},
            {"/", "input_shape", T::int32, "[3]", "channels, height, width of an image"},
            {"/", "num_classes", T::int32, "", "number of classes"},
            {"/", "mean", T::float32, "[channels]",
             "mean of pixel / 255; the network sees (pixel / 255 − mean) / std"},
            {"/", "std", T::float32, "[channels]", "standard deviation of pixel / 255"},
            {"/", "test_accuracy", T::float64, "", "share of all test images whose top-1 is the label"},
            of_other_formats({"/codes/<state-dict name>", "format", T::text, "",
                              "number format of the words, of a bias also `int32`"}),
            of_other_formats({"/activations/<node name>", "scale", T::float32, "",
                              "of the whole numbers that the node's value is, in a network of fixed point or "
                              "int8"}),
            of_other_formats({"/activations/<node name>", "bits", T::int32, "",
                              "of these whole numbers, in two's complement"}),
        },
        {
            {"/graph",
             T::text,
             {},
             "1",
             "the network graph, JSON: an array of nodes in topological order, each with `name`, `op`, its "
             "attributes, `inputs` (names) and `shape` (of its output for one image)"},
            {"/parameters/<state-dict name>",
             T::float32,
             {"..."},
             "1",
             "decoded values of a parameter tensor, named and shaped as in a PyTorch state dict"},
            of_other_formats({"/codes/<state-dict name>",
                              T::uint8,
                              {"..."},
                              "1",
                              "stored words of a parameter that is not fp32, as bit patterns in the type of "
                              "their width"},
                             {T::uint16, T::uint32}),
            of_other_formats(
                {"/scales/<state-dict name>",
                 T::float32,
                 {"scale"},
                 "1",
                 "what the whole numbers in /codes are multiplied by: one, or one of each output "
                 "channel"}),
            {"/training/epoch",
             T::int32,
             {"epoch"},
             "1",
             "passes over the training images done, from 1; no rows for an imported or converted network"},
            {"/training/loss",
             T::float64,
             {"epoch"},
             "1",
             "mean training loss per image, measured while training"},
            {"/training/train_accuracy",
             T::float64,
             {"epoch"},
             "1",
             "share of the training images classified correctly, measured while training: augmented, and "
             "under the faults of fault-aware training"},
            {"/training/learning_rate", T::float64, {"epoch"}, "1", "learning rate of the last step"},
            {"/training/seconds", T::float64, {"epoch"}, "s", "time the epoch took"},
        }};
    return spec;
}

}  // namespace flipstorm
