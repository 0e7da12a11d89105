#pragma once
// Which flipstorm this is.

namespace flipstorm
{

/// "MAJOR.MINOR.PATCH"
[[nodiscard]] const char* software_version();

/// Commit the program was built from, "-dirty" appended when the tree had changes; "unknown" outside git.
[[nodiscard]] const char* git_sha1();

}  // namespace flipstorm
