#pragma once
// The truth of a campaign while it runs: finished chunks in immutable segment files, written by each rank for
// itself and read by any later run, on any number of ranks. A segment is whole or absent; what is lost or
// damaged is computed again.
//
// A segment is `START-rRANK-SEQUENCE.segment`, framed (see engine/base/framed_bytes.hpp) with magic
// 89 46 53 4a 0d 0a 1a 0a ("\x89FSJ\r\n\x1a\n"); the payload is a Boost.Serialization binary archive of stage
// digest, rank and entries (chunk, level, bytes).

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/ids.hpp"
#include "mpi/communicator.hpp"

namespace flipstorm
{

/// Format version of the segments that are written. Version 2 has the same layout, and is read: it says which
/// outcomes come from earlier kernels.
inline constexpr std::uint32_t kJournalFormat = 3;
inline constexpr std::uint32_t kOldestJournalFormat = 2;

/// A finished chunk: its number and its outcome records, as bytes that only the stage understands.
struct JournalEntry
{
    ChunkId chunk;
    std::string bytes;
    std::uint8_t level = 0;  ///< how carefully it was computed; entries of other levels are other work
    std::uint32_t format = kJournalFormat;  ///< of the segment it was read from
};

/// When buffered entries become a segment by themselves.
struct FlushPolicy
{
    double seconds = 5;                         ///< since the last segment
    std::size_t bytes = std::size_t{16} << 20;  ///< buffered
};

/// A name that no other start shares, the same on all ranks: "20230417T093000Z-0123456789abcdef". \collective
[[nodiscard]] std::string new_start_id(const Communicator& communicator);

/// Writes the segments of one rank. Not thread-safe.
class JournalWriter
{
  public:
    /**
     * \param stage_digest  hash of all that the outcomes depend on; a journal holds one stage only
     * \param start_id      new_start_id()
     * \param clock         seconds, never going back
     * \throws FileError if the folder cannot be made, Error if the digest is longer than 1 KiB.
     */
    JournalWriter(std::filesystem::path folder, std::string stage_digest, std::string start_id, int rank,
                  FlushPolicy policy, std::function<double()> clock);
    JournalWriter(const JournalWriter&) = delete;
    JournalWriter& operator=(const JournalWriter&) = delete;

    /// Writes what is left if it can; a failure is only logged. Call flush() to know.
    ~JournalWriter();

    /// Buffer an entry, and flush() when the policy says so. \throws FileError as flush().
    void append(JournalEntry entry);

    /// Write the buffered entries as one segment; nothing if there are none. \throws FileError, naming the
    /// file and the system's reason (disk full); the entries stay buffered and the next flush tries again.
    void flush();

    /// Age of the last segment (or of this object), for a progress line.
    [[nodiscard]] double seconds_since_segment() const { return clock_() - last_segment_; }

  private:
    std::filesystem::path folder_;
    std::string stage_digest_;
    std::string start_id_;
    int rank_;
    FlushPolicy policy_;
    std::function<double()> clock_;
    double last_segment_;
    std::uint64_t sequence_ = 0;
    std::vector<JournalEntry> buffer_;
    std::size_t buffered_bytes_ = 0;
};

/// What earlier runs left.
struct JournalContent
{
    std::vector<JournalEntry> entries;  ///< each (chunk, level) once
    std::size_t segments = 0;           ///< read
    std::size_t dropped = 0;            ///< damaged, foreign or of another format version
    std::size_t unusable = 0;           ///< entries of whole segments that the stage cannot use
};

/// Why a stage cannot use an entry; empty if it can.
using EntryProblem = std::function<std::string(const JournalEntry&)>;

/**
 * Read this rank's share of the journal: in sorted order, segment i belongs to rank i mod `size`.
 *
 * Segments that are torn, fail their CRC, are not flipstorm's, have another format version or cannot be read
 * are dropped with one warning each that names the file and the reason. Of a chunk found twice at one level
 * that of the newest format counts, and of those the first. Other files and unfinished segments (`.tmp`) are
 * ignored; a folder that does not exist is an empty journal. An entry that has a `problem` is left out with a
 * warning, too; nobody asks: all are taken.
 *
 * \throws JobError if a segment carries another stage digest, FileError if the folder cannot be listed.
 */
[[nodiscard]] JournalContent read_journal(const std::filesystem::path& folder,
                                          const std::string& stage_digest, int rank, int size,
                                          const EntryProblem& problem = {});

/// A segment as it lies there, of whatever job.
struct JournalSegment
{
    std::filesystem::path file;
    std::string start_id;  ///< of the run that wrote it
    std::string stage_digest;
    std::vector<JournalEntry> entries;
};

/// What lies in a journal's folder.
struct JournalSurvey
{
    std::vector<JournalSegment> segments;  ///< whole ones, by name
    std::vector<std::string> damaged;      ///< the others: "'FILE': reason"
    std::size_t unfinished = 0;            ///< being written, or left by a run that was killed
};

/**
 * Look at a journal that others may be writing: nothing is logged, locked or refused, and a segment that
 * vanishes meanwhile is left out. \throws FileError if the folder is there and cannot be listed.
 */
[[nodiscard]] JournalSurvey survey_journal(const std::filesystem::path& folder);

/**
 * Agree on the chunks that are done: where several ranks have read the same chunk at the same level, the
 * lowest keeps it.
 *
 * \return flags [levels][chunks], row-major, the same on all ranks.
 * \throws FileError if an entry names a chunk or a level that the campaign does not have. \collective
 */
[[nodiscard]] std::vector<std::uint8_t> agree_on_done(const Communicator& communicator,
                                                      JournalContent& content, std::uint64_t chunks,
                                                      std::uint64_t levels = 1);

/// Remove what killed writers left unfinished. One rank calls it, while nobody writes. A file that cannot be
/// removed stays: it is ignored anyway.
void remove_unfinished_segments(const std::filesystem::path& folder);

/// Remove all segments, finished or not, and the folder if nothing else is in it. Nothing to remove is no
/// error. One rank calls it, before any other reads. \throws FileError, naming the file and the system's
/// reason.
void remove_journal(const std::filesystem::path& folder);

}  // namespace flipstorm
