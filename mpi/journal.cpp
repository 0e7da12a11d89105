#include "mpi/journal.hpp"

#include <algorithm>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/serialization/binary_object.hpp>
#include <limits>
#include <map>
#include <random>
#include <sstream>
#include <string_view>
#include <utility>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/framed_bytes.hpp"
#include "engine/base/log.hpp"
#include "engine/base/timing.hpp"
#include "mpi/checked_archive.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

constexpr Frame kFrame{std::string_view("\x89"
                                        "FSJ\r\n\x1a\n",
                                        8),
                       kJournalFormat, "a journal segment", kOldestJournalFormat};
constexpr std::size_t kLongestDigest = 1024;
constexpr std::string_view kExtension = ".segment";

struct Segment
{
    std::string stage_digest;
    std::int32_t rank = 0;
    std::vector<JournalEntry> entries;
};

void save_bytes(boost::archive::binary_oarchive& archive, const std::string& bytes)
{
    const std::uint64_t length = bytes.size();
    archive << length;
    archive.save_binary(bytes.data(), bytes.size());
}

std::string load_bytes(CheckedArchive& archive, std::size_t longest)
{
    std::uint64_t length = 0;
    archive >> length;
    FS_CHECK(FrameError, length <= std::min(longest, archive.left()),
             "its archive holds a string of {} bytes, at most {} can be", length,
             std::min(longest, archive.left()));
    std::string bytes(length, '\0');
    archive.load_binary(bytes.data(), bytes.size());
    return bytes;
}

std::string segment_payload(const std::string& stage_digest, int rank,
                            const std::vector<JournalEntry>& entries)
{
    std::ostringstream out(std::ios::binary);
    {
        boost::archive::binary_oarchive archive(out);
        save_bytes(archive, stage_digest);
        const std::int32_t writer = rank;
        const std::uint64_t count = entries.size();
        archive << writer << count;
        for (const JournalEntry& entry : entries)
        {
            const std::uint64_t chunk = entry.chunk.value();
            archive << chunk << entry.level;
            save_bytes(archive, entry.bytes);
        }
    }
    return out.str();
}

/// \throws FrameError
Segment parse_segment(std::string_view file)
{
    const std::string_view payload = payload_of(kFrame, file);
    Segment segment;
    read_archive(payload, 0, [&](CheckedArchive& archive) {
        segment.stage_digest = load_bytes(archive, kLongestDigest);
        std::uint64_t count = 0;
        archive >> segment.rank >> count;
        constexpr std::size_t kSmallestEntry = 2 * sizeof(std::uint64_t);
        FS_CHECK(FrameError, count <= payload.size() / kSmallestEntry,
                 "its archive announces {} entries, more than fit {} bytes", count, payload.size());
        segment.entries.reserve(count);
        for (std::uint64_t i = 0; i < count; ++i)
        {
            std::uint64_t chunk = 0;
            std::uint8_t level = 0;
            archive >> chunk >> level;
            segment.entries.push_back(
                {ChunkId(chunk), load_bytes(archive, payload.size()), level, version_of(file)});
        }
    });
    return segment;
}

/// The segment in a file. \throws FrameError or FileError
Segment read_segment(const fs::path& name)
{
    constexpr std::uint64_t kLongest = std::uint64_t{1} << 30U;  // they are written when they reach a few MiB
    return parse_segment(read_file(name, kLongest));
}

bool is_segment(const fs::path& name)
{
    return name.extension() == kExtension && name.filename().string().front() != '.';
}

/// Written now, or left by a run that was killed: `.NAME.segment.TAG.tmp`, or without the tag.
bool is_unfinished_segment(const fs::path& name)
{
    const fs::path stem = name.stem();
    return name.extension() == ".tmp" &&
           (stem.extension() == kExtension ||
            (name.filename().string().front() == '.' && stem.stem().extension() == kExtension));
}

/// Files of the folder that `wanted` accepts, sorted; none if there is no such folder.
template<class Predicate>
std::vector<fs::path> list_folder(const fs::path& folder, Predicate&& wanted)
{
    std::vector<fs::path> names;
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    if (error == std::errc::no_such_file_or_directory) return names;
    for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    {
        if (wanted(entry->path())) names.push_back(entry->path());
    }
    FS_CHECK(FileError, !error, "cannot list the journal '{}': {}", folder.string(), error.message());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

std::string new_start_id(const Communicator& communicator)
{
    std::string id;
    if (communicator.is_root())
    {
        std::string time = utc_timestamp(epoch_seconds());
        time.erase(std::remove_if(time.begin(), time.end(), [](char c) { return c == '-' || c == ':'; }),
                   time.end());
        std::random_device random;
        id = fmt::format("{}-{:08x}{:08x}", time, random(), random());
    }
    communicator.broadcast(id);
    return id;
}

JournalWriter::JournalWriter(fs::path folder, std::string stage_digest, std::string start_id, int rank,
                             FlushPolicy policy, std::function<double()> clock)
    : folder_(std::move(folder)),
      stage_digest_(std::move(stage_digest)),
      start_id_(std::move(start_id)),
      rank_(rank),
      policy_(policy),
      clock_(std::move(clock)),
      last_segment_(clock_())
{
    FS_REQUIRE(stage_digest_.size() <= kLongestDigest, "a stage digest of {} bytes is too long",
               stage_digest_.size());
    make_folder(folder_);
}

JournalWriter::~JournalWriter()
{
    try
    {
        flush();
    }
    catch (const std::exception& error)
    {
        log_warning("{} finished chunks are not in the journal and will be computed again: {}",
                    buffer_.size(), error.what());
    }
}

void JournalWriter::append(JournalEntry entry)
{
    buffered_bytes_ += entry.bytes.size();
    buffer_.push_back(std::move(entry));
    if (buffered_bytes_ >= policy_.bytes || seconds_since_segment() >= policy_.seconds) flush();
}

void JournalWriter::flush()
{
    if (buffer_.empty()) return;
    const fs::path name = folder_ / fmt::format("{}-r{:05}-{:08}{}", start_id_, rank_, sequence_, kExtension);
    write_file_durably(name, framed(kFrame, segment_payload(stage_digest_, rank_, buffer_)));
    ++sequence_;
    buffer_.clear();
    buffered_bytes_ = 0;
    last_segment_ = clock_();
}

JournalContent read_journal(const fs::path& folder, const std::string& stage_digest, int rank, int size,
                            const EntryProblem& problem)
{
    FS_REQUIRE(rank >= 0 && rank < size, "no rank {} among {} ranks", rank, size);
    const std::vector<fs::path> names = list_folder(folder, is_segment);
    JournalContent content;
    std::map<std::pair<std::uint64_t, std::uint8_t>, std::size_t> seen;  // place among the entries
    for (auto i = static_cast<std::size_t>(rank); i < names.size(); i += static_cast<std::size_t>(size))
    {
        const fs::path& name = names[i];
        Segment segment;
        try
        {
            segment = read_segment(name);
        }
        catch (const FrameError& error)
        {
            log_warning("journal segment '{}' is ignored: {}", name.string(), error.what());
            ++content.dropped;
            continue;
        }
        catch (const FileError& error)
        {
            log_warning("a journal segment is ignored: {}", error.what());
            ++content.dropped;
            continue;
        }
        FS_CHECK(
            JobError, segment.stage_digest == stage_digest,
            "the out folder holds the journal of another job ('{}' is of {}, this job is {}): use --fresh to "
            "discard it, or another --out",
            name.string(), segment.stage_digest, stage_digest);
        ++content.segments;
        for (JournalEntry& entry : segment.entries)
        {
            const std::string unusable = problem ? problem(entry) : std::string();
            if (!unusable.empty())
            {
                log_warning("journal segment '{}': chunk {} is ignored and computed again: {}", name.string(),
                            entry.chunk.value(), unusable);
                ++content.unusable;
                continue;
            }
            const auto [place, is_new] =
                seen.emplace(std::pair(entry.chunk.value(), entry.level), content.entries.size());
            if (is_new)
                content.entries.push_back(std::move(entry));
            else if (entry.format > content.entries[place->second].format)
                content.entries[place->second] = std::move(entry);
        }
    }
    return content;
}

JournalSurvey survey_journal(const fs::path& folder)
{
    JournalSurvey survey;
    survey.unfinished = list_folder(folder, is_unfinished_segment).size();
    for (const fs::path& name : list_folder(folder, is_segment))
    {
        try
        {
            Segment segment = read_segment(name);
            const std::string stem = name.stem().string();
            survey.segments.push_back({name, stem.substr(0, stem.rfind("-r")),
                                       std::move(segment.stage_digest), std::move(segment.entries)});
        }
        catch (const FrameError& error)
        {
            survey.damaged.push_back(fmt::format("'{}': {}", name.string(), error.what()));
        }
        catch (const FileError& error)
        {
            std::error_code gone;
            if (fs::exists(name, gone)) survey.damaged.emplace_back(error.what());
        }
    }
    return survey;
}

std::vector<std::uint8_t> agree_on_done(const Communicator& communicator, JournalContent& content,
                                        std::uint64_t chunks, std::uint64_t levels)
{
    constexpr auto kNobody = std::numeric_limits<std::uint64_t>::max();
    const auto here = static_cast<std::uint64_t>(communicator.rank());
    const auto place = [chunks](const JournalEntry& entry) {
        return entry.level * chunks + entry.chunk.value();
    };
    std::vector<std::uint64_t> owners(levels * chunks, kNobody);
    for (const JournalEntry& entry : content.entries)
    {
        FS_CHECK(FileError, entry.chunk.value() < chunks && entry.level < levels,
                 "the journal holds chunk {} at level {}, but the campaign has {} chunks and {} levels",
                 entry.chunk.value(), entry.level, chunks, levels);
        owners[place(entry)] = here;
    }
    communicator.all_reduce(owners, Reduce::min);

    const auto not_kept = [&](const JournalEntry& entry) { return owners[place(entry)] != here; };
    content.entries.erase(std::remove_if(content.entries.begin(), content.entries.end(), not_kept),
                          content.entries.end());
    std::vector<std::uint8_t> done(owners.size());
    std::transform(owners.begin(), owners.end(), done.begin(),
                   [](std::uint64_t owner) { return owner == kNobody ? std::uint8_t{0} : std::uint8_t{1}; });
    return done;
}

void remove_unfinished_segments(const fs::path& folder)
{
    std::error_code ignored;
    for (const fs::path& name : list_folder(folder, is_unfinished_segment))
        fs::remove(name, ignored);
}

void remove_journal(const fs::path& folder)
{
    std::error_code error;
    for (const fs::path& name : list_folder(
             folder, [](const fs::path& file) { return is_segment(file) || is_unfinished_segment(file); }))
    {
        fs::remove(name, error);
        FS_CHECK(FileError, !error, "cannot remove '{}': {}", name.string(), error.message());
    }
    fs::remove(folder, error);  // fails, rightly, if something else is in it
}

}  // namespace flipstorm
