#include "harness.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "engine/base/log.hpp"

namespace flipstorm::fuzz
{
namespace fs = std::filesystem;

std::string text_of(const std::uint8_t* data, std::size_t size)
{
    return size == 0 ? std::string() : std::string(reinterpret_cast<const char*>(data), size);
}

int accept_errors(const std::function<void()>& work)
{
    try
    {
        work();
    }
    catch (const FrameError&)
    {}
    catch (const Error& error)
    {
        if (error.exit_code() == ExitCode::internal) throw;
    }
    return 0;
}

void expect(bool condition, std::string_view what)
{
    if (condition) return;
    std::fprintf(stderr, "fuzz: expected %.*s\n", static_cast<int>(what.size()), what.data());
    std::abort();
}

const fs::path& folder()
{
    // Not a static that is destroyed: libFuzzer's own handlers may still run at exit.
    static const fs::path& path = *new fs::path([] {
        fs::path made = fs::temp_directory_path() / ("flipstorm-fuzz-" + std::to_string(::getpid()));
        fs::create_directories(made);
        std::atexit([] {
            std::error_code ignored;
            fs::remove_all(folder(), ignored);
        });
        return made;
    }());
    return path;
}

fs::path write_input(const std::string& name, std::string_view content)
{
    fs::path file = folder() / name;
    std::ofstream stream(file, std::ios::binary | std::ios::trunc);
    stream.write(content.data(), static_cast<std::streamsize>(content.size()));
    stream.close();
    expect(stream.good(), "room for an input in " + folder().string());
    return file;
}

__attribute__((weak)) std::vector<std::string> make_seeds()
{
    return {};
}

std::uint8_t Input::byte()
{
    return empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(rest_[at_++]);
}

std::uint16_t Input::two_bytes()
{
    const unsigned low = byte();
    const unsigned high = byte();
    return static_cast<std::uint16_t>(low | high << 8U);
}

std::string Input::bytes(std::size_t most)
{
    std::string taken = rest_.substr(at_, most);
    at_ += taken.size();
    return taken;
}

}  // namespace flipstorm::fuzz

/// libFuzzer calls it before it reads its arguments: the seeds are one more folder of its corpus. Where it is
/// given files, to do them again, there is nothing to add.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv)
{
    namespace fs = std::filesystem;
    using namespace flipstorm;
    // Messages are made, and go nowhere.
    configure_logging(0, true);
    spdlog::get("flipstorm")->sinks().clear();
    static std::vector<char*> arguments(*argv, *argv + *argc);
    for (const char* const each : arguments)
    {
        if (each != arguments.front() && fs::is_regular_file(each)) return 0;
    }
    const std::vector<std::string> seeds = fuzz::make_seeds();
    if (seeds.empty()) return 0;
    fs::create_directories(fuzz::folder() / "seeds");
    for (std::size_t i = 0; i < seeds.size(); ++i)
        fuzz::write_input("seeds/" + std::to_string(i), seeds[i]);
    static std::string added = (fuzz::folder() / "seeds").string();
    arguments.push_back(added.data());
    arguments.push_back(nullptr);
    *argc = static_cast<int>(arguments.size()) - 1;
    *argv = arguments.data();
    return 0;
}
