#pragma once
// What all fuzzers share: which exceptions an input may end in, a folder of their own, seeds made at run
// time, and numbers taken from an input. A target defines LLVMFuzzerTestOneInput, and make_seeds() where its
// seeds are not text files in corpus/.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/base/framed_bytes.hpp"

namespace flipstorm::fuzz
{

/// An input as text. \param data  as libFuzzer gives it; may be null if there are no bytes
[[nodiscard]] std::string text_of(const std::uint8_t* data, std::size_t size);

/**
 * Do what a target does to one input.
 *
 * It may end in an error that blames the input: JobError, DataError, FileError or, of frames, FrameError. Any
 * other exception, std::bad_alloc and a plain Error (a defect, exit code 70) included, leaves the target,
 * which libFuzzer calls a finding. \return 0, what a target returns
 */
int accept_errors(const std::function<void()>& work);

/// A finding unless `condition` holds: prints what was expected and aborts.
void expect(bool condition, std::string_view what);

/// The folder of this process, below TMPDIR (on a file system in memory, if run.sh chose it); removed at
/// exit.
[[nodiscard]] const std::filesystem::path& folder();

/// Make a file in the folder, or overwrite it; not fsynced. \return its path
std::filesystem::path write_input(const std::string& name, std::string_view content);

/// Inputs that are known to be good, made by flipstorm's own writers. Called once before the first input, and
/// their files are added to the corpus.
[[nodiscard]] std::vector<std::string> make_seeds();

/// Takes an input apart, from its start; zeros come where it has ended.
class Input
{
  public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(text_of(data, size)) {}

    [[nodiscard]] bool empty() const { return at_ == rest_.size(); }
    [[nodiscard]] std::uint8_t byte();
    [[nodiscard]] std::uint16_t two_bytes();
    /// At most so many bytes.
    [[nodiscard]] std::string bytes(std::size_t most);
    [[nodiscard]] std::string rest() { return bytes(rest_.size()); }

  private:
    std::string rest_;
    std::size_t at_ = 0;
};

}  // namespace flipstorm::fuzz
