#include "jobs/stages/forest_journal.hpp"

#include <boost/archive/binary_oarchive.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>
#include <exception>
#include <sstream>
#include <system_error>
#include <utility>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/framed_bytes.hpp"
#include "engine/base/log.hpp"
#include "mpi/checked_archive.hpp"

BOOST_CLASS_IMPLEMENTATION(flipstorm::ScoredCounts, boost::serialization::object_serializable)
BOOST_CLASS_TRACKING(flipstorm::ScoredCounts, boost::serialization::track_never)

namespace boost::serialization
{

template<class Archive>
void serialize(Archive& archive, flipstorm::ScoredCounts& row, unsigned /*version*/)
{
    archive& row.score& row.acceptable& row.critical;
}

}  // namespace boost::serialization

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

constexpr Frame kFrame{std::string_view("\x89"
                                        "FSF\r\n\x1a\n",
                                        8),
                       3, "a fit of a forest"};
constexpr const char* kExtension = ".fit";

/// The fields of a fit in their order in the archive, both ways.
template<class Archive, class Text, class Key, class Result>
void archive_fit(Archive& archive, Text& stage_sha256, Key& key, Result& result)
{
    archive& stage_sha256& key.kind& key.critical& key.stream;
    for (const ScoreColumn& score : score_columns())
        archive& result.scores.*score.member;
    for (const LevelColumn& column : level_columns())
        std::visit([&](auto member) { archive& result.levels.*member; }, column.member);
    auto& confusion = result.confusion;
    archive& confusion.acceptable_acceptable& confusion.acceptable_critical& confusion
        .critical_acceptable& confusion.critical_critical;
    auto& trees = result.trees;
    archive& result.importance& result.importance_error& result.permutation_importance& trees
        .first_node& trees.feature& trees.threshold& trees.left& trees.right& trees.probability& result
        .held_out;
}

}  // namespace

std::string encode_fit(const std::string& stage_sha256, const FitKey& key, const FitResult& result)
{
    std::ostringstream out(std::ios::binary);
    {
        boost::archive::binary_oarchive archive(out);
        archive_fit(archive, stage_sha256, key, result);
    }
    return framed(kFrame, out.str());
}

KeptFit decode_fit(std::string_view file)
{
    KeptFit fit;
    read_archive(payload_of(kFrame, file), 0, [&fit](CheckedArchive& archive) {
        archive_fit(archive, fit.stage_sha256, fit.key, fit.result);
    });
    return fit;
}

ForestJournal::ForestJournal(fs::path folder, std::string stage_sha256, double seconds,
                             std::function<double()> clock)
    : folder_(std::move(folder)),
      stage_sha256_(std::move(stage_sha256)),
      seconds_(seconds),
      clock_(std::move(clock)),
      last_writing_(clock_())
{}

ForestJournal::~ForestJournal()
{
    try
    {
        flush();
    }
    catch (const std::exception& error)
    {
        log_warning("{} finished fits are not kept and will be done again: {}", unwritten_.size(),
                    error.what());
    }
}

fs::path ForestJournal::file_of(const FitKey& key) const
{
    return folder_ / fmt::format("{}-{}-{}{}", key.kind, key.critical, key.stream, kExtension);
}

std::optional<FitResult> ForestJournal::find(const FitKey& key)
{
    const fs::path file = file_of(key);
    std::error_code unknown;
    if (!fs::exists(file, unknown)) return std::nullopt;
    try
    {
        KeptFit fit = decode_fit(read_file(file));
        if (fit.stage_sha256 != stage_sha256_)
        {
            if (!std::exchange(said_foreign_, true))
            {
                log_warning(
                    "'{}' holds fits of another job or of other inputs ({:.12}…, this stage is {:.12}…): "
                    "they are ignored",
                    folder_.string(), fit.stage_sha256, stage_sha256_);
            }
            return std::nullopt;
        }
        FS_CHECK(FrameError, fit.key == key, "it is that of another fit ({}-{}-{})", fit.key.kind,
                 fit.key.critical, fit.key.stream);
        ++found_;
        return std::move(fit.result);
    }
    catch (const FrameError& error)
    {
        log_warning("'{}' is ignored and the fit done again: {}", file.string(), error.what());
    }
    catch (const FileError& error)
    {
        log_warning("a fit is done again: {}", error.what());
    }
    return std::nullopt;
}

void ForestJournal::keep(const FitKey& key, const FitResult& result)
{
    unwritten_.emplace_back(key, result);
    if (clock_() - last_writing_ >= seconds_) flush();
}

void ForestJournal::flush()
{
    if (unwritten_.empty()) return;
    make_folder(folder_);
    while (!unwritten_.empty())
    {
        const auto& [key, result] = unwritten_.back();
        write_file_durably(file_of(key), encode_fit(stage_sha256_, key, result));
        unwritten_.pop_back();
    }
    last_writing_ = clock_();
}

void ForestJournal::flush_if_slow(double seconds_of_all)
{
    if (seconds_of_all >= seconds_) flush();
}

void ForestJournal::discard()
{
    unwritten_.clear();
    remove_forest_journal(folder_);
}

void remove_forest_journal(const fs::path& folder)
{
    const auto is_ours = [](const fs::path& name) {
        return name.extension() == kExtension ||
               (name.extension() == ".tmp" && name.stem().extension() == kExtension);
    };
    std::error_code error;
    std::vector<fs::path> names;
    fs::directory_iterator entry(folder, error);
    if (error == std::errc::no_such_file_or_directory) return;
    for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    {
        if (is_ours(entry->path())) names.push_back(entry->path());
    }
    FS_CHECK(FileError, !error, "cannot list '{}': {}", folder.string(), error.message());
    for (const fs::path& name : names)
    {
        fs::remove(name, error);
        FS_CHECK(FileError, !error, "cannot remove '{}': {}", name.string(), error.message());
    }
    fs::remove(folder, error);  // fails, rightly, if something else is in it
}

}  // namespace flipstorm
