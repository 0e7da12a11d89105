// A file of OUT/forest-journal: a payload of any bytes, framed with the right CRC.

#include "harness.hpp"
#include "jobs/stages/forest_journal.hpp"

namespace
{

using namespace flipstorm;

const Frame kFrame{std::string_view("\x89"
                                    "FSF\r\n\x1a\n",
                                    8),
                   3, "a fit of a forest"};

}  // namespace

namespace flipstorm::fuzz
{

std::vector<std::string> make_seeds()
{
    FitResult fit;
    fit.scores = {0.75, 0.5, 0.625, 0.25, 0.375, 0.125};
    fit.confusion = {1, 2, 3, 94};
    fit.importance = {0.25, 0.75};
    fit.trees = {{0, 1, 4},       {-1, 0, -1, -1}, {0, 1.5F, 0, 0},
                 {-1, 1, -1, -1}, {-1, 2, -1, -1}, {0.5F, 0.25F, 0, 1}};
    fit.held_out = {{0.5, 7, 1}, {0.25, 0, 2}};
    const std::string file = encode_fit("this stage", {"brf", 85, 3}, fit);
    return {std::string(payload_of(kFrame, file))};
}

}  // namespace flipstorm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    return fuzz::accept_errors([&] {
        const KeptFit fit = decode_fit(framed(kFrame, fuzz::text_of(data, size)));
        static_cast<void>(encode_fit(fit.stage_sha256, fit.key, fit.result));
    });
}
