#pragma once
// OUT/forest-journal: the finished fits of a forest stage that is not done yet, so that a kill or a time
// limit costs a fit.
//
// A fit is `KIND-CRITICAL-STREAM.fit`, framed (see engine/base/framed_bytes.hpp) with magic 89 46 53 46 0d 0a
// 1a 0a
// ("\x89FSF\r\n\x1a\n"); the payload is a Boost.Serialization binary archive of stage digest, key and
// FitResult. Written durably: a file is whole or absent.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/train_forest.hpp"

namespace flipstorm
{

/// Name of the folder in the out folder.
inline constexpr const char* kForestJournal = "forest-journal";

/// A fit and the stage it belongs to.
struct KeptFit
{
    std::string stage_sha256;
    FitKey key;
    FitResult result;
};

/// The bytes of a file.
[[nodiscard]] std::string encode_fit(const std::string& stage_sha256, const FitKey& key,
                                     const FitResult& result);

/// Back from the bytes. \throws FrameError, saying what is wrong: torn, damaged, another version.
[[nodiscard]] KeptFit decode_fit(std::string_view file);

/// Keeps fits in a folder, one file each. Not thread-safe.
class ForestJournal : public FitStore
{
  public:
    /**
     * \param stage_sha256  digest of all that the fits depend on
     * \param seconds       fits are written once the last writing is so long ago, so that those that take no
     *                      time are not made dear by their files
     * \param clock         seconds, never going back
     */
    ForestJournal(std::filesystem::path folder, std::string stage_sha256, double seconds,
                  std::function<double()> clock);

    /// Writes what is left if it can; a failure is only logged. Call flush() to know.
    ~ForestJournal() override;
    ForestJournal(const ForestJournal&) = delete;
    ForestJournal& operator=(const ForestJournal&) = delete;

    /// A file that is damaged, of another stage or not to be read is ignored, with a warning that names it.
    [[nodiscard]] std::optional<FitResult> find(const FitKey& key) override;

    /// \throws FileError as flush()
    void keep(const FitKey& key, const FitResult& result) override;

    /// Write what is not written yet. \throws FileError, naming the file and the system's reason.
    void flush();

    /// The stage's result is about to be written, which may be ended at any time: flush() if the fits took so
    /// long that they are worth it.
    void flush_if_slow(double seconds_of_all);

    /// What is not written yet is in the stage's result.
    void forget() { unwritten_.clear(); }

    /// The stage is done: forget what is not written, and remove the folder. \throws FileError
    void discard();

    /// How many fits were there already.
    [[nodiscard]] std::size_t found() const { return found_; }

  private:
    [[nodiscard]] std::filesystem::path file_of(const FitKey& key) const;

    std::filesystem::path folder_;
    std::string stage_sha256_;
    double seconds_;
    std::function<double()> clock_;
    double last_writing_;
    std::vector<std::pair<FitKey, FitResult>> unwritten_;
    std::size_t found_ = 0;
    bool said_foreign_ = false;
};

/// Remove all fits, finished or not, and the folder if nothing else is in it. Nothing to remove is no error.
/// \throws FileError, naming the file and the system's reason.
void remove_forest_journal(const std::filesystem::path& folder);

}  // namespace flipstorm
