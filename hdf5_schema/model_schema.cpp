// The schema of model.h5.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/memory/number_format.hpp"
#include "hdf5_schema/schema.hpp"

namespace flipstorm
{
namespace
{

using T = ElementType;

}  // namespace

const FileSpec& model_spec()
{
    static const FileSpec spec = {
        "flipstorm/model",
        "model.h5",
        1,
        2,
        2,
        {
            {"/", "arch", T::text, "", "architecture, e.g. `lenet5`; `torchscript` for an imported network"},
            {"/", "format", T::text, "",
             fmt::format("number format of the stored parameters, e.g. `{}`",
                         fmt::join(number_format_names(), "`, `"))},
            {"/", "input_shape", T::int32, "[3]", "channels, height, width of an image"},
            {"/", "num_classes", T::int32, "", "number of classes"},
            {"/", "mean", T::float32, "[channels]",
             "mean of pixel / 255; the network sees (pixel / 255 − mean) / std"},
            {"/", "std", T::float32, "[channels]", "standard deviation of pixel / 255"},
            {"/", "test_accuracy", T::float64, "", "share of all test images whose top-1 is the label"},
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
            {"/training/epoch",
             T::int32,
             {"epoch"},
             "1",
             "passes over the training images done, from 1; no rows for an imported network"},
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
