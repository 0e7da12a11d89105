#pragma once
// A job file of a test: written on construction, removed on destruction.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.hpp"
#include "jobs/job_file/job_file.hpp"

namespace flipstorm::test
{

class JobTextFile
{
  public:
    explicit JobTextFile(std::string_view text)
    {
        std::string name = (std::filesystem::temp_directory_path() / "flipstorm-job-XXXXXX").string();
        const int descriptor = ::mkstemp(name.data());
        FS_REQUIRE(descriptor >= 0, "cannot make {}", name);
        ::close(descriptor);
        path_ = name;
        std::ofstream(path_, std::ios::binary) << text;
    }
    JobTextFile(const JobTextFile&) = delete;
    JobTextFile& operator=(const JobTextFile&) = delete;
    ~JobTextFile() { std::filesystem::remove(path_); }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

inline Job read_text(std::string_view text, const std::vector<std::string>& overrides = {})
{
    const JobTextFile file(text);
    return read_job(file.path(), overrides);
}

/// The problems of a job file, one a line, its name replaced by FILE; empty if it is sound.
inline std::string problems_of(std::string_view text, const std::vector<std::string>& overrides = {})
{
    const JobTextFile file(text);
    try
    {
        static_cast<void>(read_job(file.path(), overrides));
    }
    catch (const JobError& error)
    {
        std::string message = error.what();
        const std::string name = file.path().string();
        for (auto at = message.find(name); at != std::string::npos; at = message.find(name))
            message.replace(at, name.size(), "FILE");
        return message;
    }
    return "";
}

}  // namespace flipstorm::test
