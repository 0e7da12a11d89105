#include "engine/evaluate/evaluation_options.hpp"

#include <fmt/format.h>

#include "engine/base/error.hpp"

namespace flipstorm
{

EvaluationMode evaluation_mode(std::string_view name)
{
    if (name == "reference") return EvaluationMode::reference;
    if (name == "exact") return EvaluationMode::exact;
    if (name == "screened") return EvaluationMode::screened;
    throw JobError("campaign.evaluation: '{}' is not known; it is one of: reference, exact, screened", name);
}

Backend backend_from(std::string_view name)
{
    if (name == "auto") return Backend::automatic;
    if (name == "native") return Backend::native;
    if (name == "libtorch") return Backend::libtorch;
    throw JobError("campaign.backend: '{}' is not known; it is one of: auto, native, libtorch", name);
}

std::string evaluation_layout()
{
    return fmt::format("waves of {} images", kWaveImages);
}

}  // namespace flipstorm
