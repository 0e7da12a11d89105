#pragma once
// A folder of a test, removed with all that is in it.

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "engine/base/error.hpp"

namespace flipstorm::test
{

class TemporaryFolder
{
  public:
    TemporaryFolder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "flipstorm-test-XXXXXX").string();
        FS_REQUIRE(::mkdtemp(name.data()) != nullptr, "cannot make the folder '{}'", name);
        path_ = name;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace flipstorm::test
