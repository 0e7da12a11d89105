#include "engine/data/idx_folder.hpp"

#include <fmt/format.h>

#include <array>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/data/data_file.hpp"

namespace flipstorm
{
namespace fs = std::filesystem;
namespace
{

/// What a file name says.
struct Name
{
    std::string split;  ///< "emnist-letters"; empty: none
    IdxPart part = IdxPart::train;
    bool labels = false;
    int rank = 0;  ///< the lowest of equal files is taken
};

/// Added to the rank of a folder with a file's name: behind every file.
constexpr int kFolderRank = 8;

std::optional<Name> parse(const std::string& file)
{
    constexpr std::size_t kLongest = 255;  // of a file system; the matcher recurses
    if (file.size() > kLongest) return std::nullopt;
    static const std::regex pattern(
        "(?:(.+)-)?(train|t10k|test)-(?:images([.-])idx3-ubyte|labels([.-])idx1-(?:ubyte|short|int))(\\.gz)"
        "?");
    std::smatch found;
    if (!std::regex_match(file, found, pattern)) return std::nullopt;
    Name name;
    name.split = found[1].str();
    name.part = found[2] == "train" ? IdxPart::train : IdxPart::test;
    name.labels = found[4].matched;
    name.rank = (found[2] == "test" ? 4 : 0) + ((name.labels ? found[4] : found[3]) == "." ? 2 : 0) +
                (found[5].matched ? 1 : 0);
    return name;
}

/// Files of one split in one folder, by [part][labels or not].
struct Group
{
    std::array<std::array<fs::path, 2>, 2> files;
    std::array<std::array<int, 2>, 2> ranks{{{99, 99}, {99, 99}}};

    [[nodiscard]] const std::array<fs::path, 2>& of(IdxPart part) const
    {
        return files.at(part == IdxPart::train ? 0 : 1);
    }
};

using Groups = std::map<std::pair<fs::path, std::string>, Group>;  ///< by folder and split

/// Add the groups of one folder; where one has no split, the others in that folder do not count.
void add_groups(const fs::path& folder, const std::string& split, Groups& groups)
{
    Groups here;
    for (const std::string& file : names_in(folder))
    {
        const std::optional<Name> name = parse(file);
        if (!name || (!split.empty() && name->split != split)) continue;
        Group& group = here[{folder, name->split}];
        const std::size_t part = name->part == IdxPart::train ? 0 : 1;
        const std::size_t what = name->labels ? 1 : 0;
        // Some archives unpack each file into a folder of its name, beside the file with another one.
        std::error_code unreadable;
        const int rank = name->rank + (fs::is_directory(folder / file, unreadable) ? kFolderRank : 0);
        if (rank >= group.ranks.at(part).at(what)) continue;
        group.ranks.at(part).at(what) = rank;
        group.files.at(part).at(what) = folder / file;
    }
    const auto plain = here.find({folder, ""});
    if (plain != here.end())
        groups.insert(*plain);
    else
        groups.insert(here.begin(), here.end());
}

/// What there is in a folder, or else below it.
Groups groups_in(const fs::path& folder, const std::string& split)
{
    Groups groups;
    add_groups(folder, split, groups);
    if (!groups.empty()) return groups;
    std::error_code unreadable;
    const auto look_into = [&](const fs::path& below) {
        if (fs::is_directory(below, unreadable)) add_groups(below, split, groups);
    };
    look_into(folder / "raw");
    look_into(folder / "gzip");
    if (!groups.empty()) return groups;
    for (const std::string& name : names_in(folder))
        look_into(folder / name / "raw");
    return groups;
}

std::string names_looked_for(IdxPart part)
{
    const char* word = part == IdxPart::train ? "train" : "t10k";
    return fmt::format("'{0}-images-idx3-ubyte' and '{0}-labels-idx1-ubyte', plain or .gz", word);
}

/// \throws JobError that lists the groups.
void require_one(const Groups& groups, const fs::path& path)
{
    if (groups.size() == 1) return;
    constexpr std::size_t kShown = 12;
    std::string choices;
    std::size_t shown = 0;
    for (const auto& [key, group] : groups)
    {
        if (shown++ == kShown)
        {
            choices += fmt::format(" and {} others", groups.size() - kShown);
            break;
        }
        choices += fmt::format("{}'{}'", shown > 1 ? ", " : "",
                               (key.second.empty() ? key.first : key.first / key.second).string());
    }
    throw JobError("data.path: '{}' holds {} IDX data sets; name one of them: {}", path.string(),
                   groups.size(), choices);
}

}  // namespace

IdxFiles find_idx_files(const fs::path& path, IdxPart part)
{
    Groups groups;
    if (fs::is_directory(path))
    {
        groups = groups_in(path, "");
        FS_CHECK(
            FileError, !groups.empty(),
            "no IDX data set in '{}' (data.path): looked there, in raw, gzip and */raw for {}. There is {}",
            path.string(), names_looked_for(part), content_text(path));
    }
    else
    {
        const fs::path clean = path.has_filename() ? path : path.parent_path();
        const fs::path folder = clean.has_parent_path() ? clean.parent_path() : fs::path(".");
        const std::string split = clean.filename().string();
        if (!split.empty() && !fs::exists(clean) && fs::is_directory(folder))
            groups = groups_in(folder, split);
        FS_CHECK(FileError, !groups.empty(),
                 "data.path: '{}' is not a folder, nor do names of IDX files in '{}' begin with '{}-'. There "
                 "is {}",
                 path.string(), folder.string(), split, content_text(folder));
    }
    require_one(groups, path);
    const auto& [key, group] = *groups.begin();
    const auto& [folder, split] = key;
    const std::array<fs::path, 2>& found = group.of(part);
    for (const std::size_t what : {0U, 1U})
    {
        FS_CHECK(FileError, !found.at(what).empty(),
                 "no '{}{}-{}-ubyte' or '.gz' in '{}' (data.path names the folder of an IDX data set). There "
                 "is {}",
                 split.empty() ? "" : split + "-",
                 part == IdxPart::train ? "train" : (split.empty() ? "t10k" : "test"),
                 what == 0 ? "images-idx3" : "labels-idx1", folder.string(), content_text(folder));
    }
    return {found[0], found[1]};
}

}  // namespace flipstorm
