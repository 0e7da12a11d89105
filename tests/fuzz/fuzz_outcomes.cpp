// Outcome records of a chunk, in weights and transient, and entries that ranks send each other, as bytes. The
// first byte says which.

#include "harness.hpp"
#include "jobs/campaign/outcome_codec.hpp"
#include "jobs/campaign/transient_codec.hpp"

namespace flipstorm::fuzz
{

std::vector<std::string> make_seeds()
{
    const Tally tally{10, 7, 3, 1};
    return {std::string(1, '\0') + encode_outcomes({{tally, {}, false, 0.25}, {tally, {}, true, 0.5}}),
            "\1" + encode_transient({{tally, 2, 0.25}, {tally, 0, -0.5}}),
            "\2" + encode_entries({{ChunkId(3), "bytes", 1}, {ChunkId(4), "", 0}})};
}

}  // namespace flipstorm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace flipstorm;
    return fuzz::accept_errors([&] {
        fuzz::Input input(data, size);
        const unsigned kind = input.byte() % 3U;
        const std::string bytes = input.rest();
        if (kind == 0)
            static_cast<void>(critical_faults(decode_outcomes(bytes, 2, 10), 0.1));
        else if (kind == 1)
            static_cast<void>(as_record(decode_transient(bytes, 2, 10)));
        else
            static_cast<void>(decode_entries(bytes));
    });
}
