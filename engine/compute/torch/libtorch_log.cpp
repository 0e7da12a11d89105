#include "engine/compute/torch/libtorch_log.hpp"

#include <c10/util/Exception.h>
#include <torch/version.h>

#include <string>

#include "engine/base/failure_text.hpp"
#include "engine/base/log.hpp"

namespace flipstorm
{
namespace
{

#if TORCH_VERSION_MAJOR >= 2
namespace handlers = c10::WarningUtils;
#else
namespace handlers = c10::Warning;
#endif

/// Its `process` has another signature since LibTorch 2.0.
class LogWarnings : public c10::WarningHandler
{
  public:
#if TORCH_VERSION_MAJOR >= 2
    void process(const c10::Warning& warning) override
    {
        say(warning.msg());
    }
#else
    void process(const c10::SourceLocation& /*location*/, const std::string& message,
                 bool /*verbatim*/) override
    {
        say(message);
    }
#endif

  private:
    static void say(const std::string& message)
    {
        log_warning("LibTorch: {}", plain_message(message));
    }
};

}  // namespace

void log_libtorch_warnings(int threads)
{
    static LogWarnings handler;
    handlers::set_warning_handler(&handler);
#pragma omp parallel num_threads(threads) if (threads > 1)
    handlers::set_warning_handler(&handler);
}

}  // namespace flipstorm
