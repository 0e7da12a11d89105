#include "hdf5_schema/memory_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/base/error.hpp"
#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/h5_writer.hpp"

namespace flipstorm
{
namespace
{

template<class Trials, class Visit>
void for_each_column(Trials& trials, Visit&& visit)
{
    visit("/trials/rate", trials.rate);
    visit("/trials/protected", trials.protected_memory);
    visit("/trials/upsets", trials.upsets);
    visit("/trials/corrected", trials.corrected);
    visit("/trials/detected", trials.detected);
    visit("/trials/changed", trials.changed);
    visit("/trials/correct", trials.correct);
    visit("/trials/nonfinite", trials.nonfinite);
}

void check(const H5Reader& in, const MemoryRecord& memory)
{
    const MemoryTrials& trials = memory.trials;
    for_each_column(trials, [&](const char* path, const auto& column) {
        in.expect(column.size() == trials.size(),
                  fmt::format("'{}' has {} rows, '/trials/rate' {}", path, column.size(), trials.size()));
    });
    in.expect(memory.images > 0 && memory.golden_correct[0] <= memory.images &&
                  memory.golden_correct[1] <= memory.images && memory.adjacent_share >= 0 &&
                  memory.adjacent_share <= 1,
              "its attributes cannot be");
    in.expect(
        std::is_sorted(memory.ber.begin(), memory.ber.end()) &&
            std::all_of(memory.ber.begin(), memory.ber.end(),
                        [](double rate) { return rate >= 0 && rate < 1; }),
        fmt::format("'/ber' is [{}]; rising probabilities would be right", fmt::join(memory.ber, ", ")));
    for (std::size_t i = 0; i < trials.size(); ++i)
    {
        FS_CHECK(FileError,
                 trials.rate[i] >= 0 && static_cast<std::size_t>(trials.rate[i]) < memory.ber.size() &&
                     trials.protected_memory[i] <= 1 && trials.correct[i] <= memory.images &&
                     trials.nonfinite[i] <= memory.images - trials.correct[i] &&
                     trials.upsets[i] <= memory.bits[trials.protected_memory[i]],
                 "'{}': trial {} is impossible: rate {}, protected {}, {} upsets, {} of {} images correct",
                 in.file_name(), i, trials.rate[i], trials.protected_memory[i], trials.upsets[i],
                 trials.correct[i], memory.images);
    }
}

}  // namespace

void write_memory(const std::filesystem::path& file, const MemoryRecord& memory)
{
    H5Writer out(file, memory_spec(), memory.provenance);
    out.attribute("/", "memory_sha256", memory.memory_sha256);
    out.attribute("/", "images", memory.images);
    out.attribute("/", "golden_correct",
                  std::vector<std::uint64_t>(memory.golden_correct.begin(), memory.golden_correct.end()));
    out.attribute("/", "bits", std::vector<std::uint64_t>(memory.bits.begin(), memory.bits.end()));
    out.attribute("/", "adjacent_share", memory.adjacent_share);
    out.dataset("/ber", memory.ber);
    for_each_column(memory.trials, [&](const char* path, const auto& column) { out.dataset(path, column); });
    out.publish();
}

MemoryRecord read_memory(const std::filesystem::path& file)
{
    const H5Reader in(file, memory_spec());
    MemoryRecord memory;
    memory.provenance = in.provenance();
    memory.memory_sha256 = in.text_attribute("/", "memory_sha256");
    memory.images = in.attribute<std::uint64_t>("/", "images");
    const auto pair = [&](const char* name, std::array<std::uint64_t, 2>& values) {
        const auto read = in.attributes<std::uint64_t>("/", name);
        in.expect(read.size() == 2, fmt::format("'{}' has {} values, two are expected", name, read.size()));
        std::copy(read.begin(), read.end(), values.begin());
    };
    pair("golden_correct", memory.golden_correct);
    pair("bits", memory.bits);
    memory.adjacent_share = in.attribute<double>("/", "adjacent_share");
    memory.ber = in.dataset<double>("/ber");
    for_each_column(memory.trials, [&](const char* path, auto& column) {
        using Value = typename std::decay_t<decltype(column)>::value_type;
        column = in.dataset<Value>(path);
    });
    check(in, memory);
    return memory;
}

}  // namespace flipstorm
