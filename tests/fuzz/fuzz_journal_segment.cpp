// Segments of the journal: a payload of any bytes, framed with the right CRC, and what its entries hold.

#include "engine/base/durable_file.hpp"
#include "harness.hpp"
#include "jobs/campaign/outcome_codec.hpp"
#include "jobs/campaign/transient_codec.hpp"
#include "mpi/journal.hpp"

namespace
{

using namespace flipstorm;

const Frame kFrame{std::string_view("\x89"
                                    "FSJ\r\n\x1a\n",
                                    8),
                   kJournalFormat, "a journal segment", kOldestJournalFormat};

}  // namespace

namespace flipstorm::fuzz
{

std::vector<std::string> make_seeds()
{
    const Tally tally{10, 7, 3, 1};
    const std::filesystem::path journal = folder() / "seed-journal";
    {
        JournalWriter writer(journal, "this stage", "start", 0, {}, [] { return 0.0; });
        writer.append({ChunkId(1), encode_outcomes({{tally, {}, false, 0.25}, {tally, {}, true, 0.5}})});
        writer.append({ChunkId(2), encode_transient({{tally, 2, 0.25}, {tally, 0, -0.5}}), 1});
        writer.flush();
    }
    const std::string segment = read_file(journal / "start-r00000-00000000.segment");
    return {std::string(payload_of(kFrame, segment))};
}

}  // namespace flipstorm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    return fuzz::accept_errors([&] {
        std::filesystem::create_directories(fuzz::folder() / "journal");
        fuzz::write_input("journal/start-r00000-00000000.segment", framed(kFrame, fuzz::text_of(data, size)));
        const auto whole = [](const JournalEntry& entry) -> std::string {
            try
            {
                static_cast<void>(decode_outcomes(entry.bytes, 2, 10));
                return {};
            }
            catch (const FileError&)
            {}
            try
            {
                static_cast<void>(decode_transient(entry.bytes, 2, 10));
                return {};
            }
            catch (const FileError& error)
            {
                return error.what();
            }
        };
        const JournalSurvey survey = survey_journal(fuzz::folder() / "journal");
        const JournalContent content = read_journal(fuzz::folder() / "journal", "this stage", 0, 1, whole);
        fuzz::expect(survey.segments.size() == content.segments, "survey and reader to agree");
    });
}
