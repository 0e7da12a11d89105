#include "hdf5_schema/protection_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/error.hpp"
#include "engine/memory/codes/protection_scheme.hpp"
#include "hdf5_schema/h5_reader.hpp"
#include "hdf5_schema/h5_writer.hpp"
#include "hdf5_schema/layer_protection_columns.hpp"

namespace flipstorm
{
namespace
{

/// Eight flags to a byte, the first in the most significant bit.
std::vector<std::uint8_t> packed(const std::vector<std::uint8_t>& flags)
{
    std::vector<std::uint8_t> bytes((flags.size() + 7) / 8, 0);
    for (std::size_t i = 0; i < flags.size(); ++i)
    {
        if (flags[i] != 0) bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (0x80U >> (i % 8)));
    }
    return bytes;
}

/// Bytes that hold so many flags.
std::uint64_t packed_bytes(std::uint64_t flags)
{
    return flags / 8 + (flags % 8 > 0 ? 1 : 0);
}

std::vector<std::uint8_t> unpacked(const std::vector<std::uint8_t>& bytes, std::uint64_t count)
{
    std::vector<std::uint8_t> flags(count, 0);
    for (std::size_t i = 0; i < count; ++i)
    {
        flags[i] = (bytes[i / 8] & (0x80U >> (i % 8))) != 0 ? 1 : 0;
    }
    return flags;
}

template<class T, class Row, class Member>
std::vector<T> column(const std::vector<Row>& rows, Member member)
{
    std::vector<T> values;
    for (const Row& row : rows)
        values.push_back(static_cast<T>(row.*member));
    return values;
}

void write_front(H5Writer& out, const std::vector<FrontPoint>& front)
{
    out.dataset("/front/extra_bits", column<std::uint64_t>(front, &FrontPoint::extra_bits));
    out.dataset("/front/overhead", column<double>(front, &FrontPoint::overhead));
    out.dataset("/front/predicted_residual", column<double>(front, &FrontPoint::predicted_residual));
}

void write_signature_sizes(H5Writer& out, const std::vector<SignatureSize>& sizes)
{
    out.dataset("/signature_sizes/encoding", column<std::string>(sizes, &SignatureSize::encoding));
    out.dataset("/signature_sizes/bits", column<std::uint64_t>(sizes, &SignatureSize::bits));
    out.dataset("/signature_sizes/check_bits", column<std::uint64_t>(sizes, &SignatureSize::check_bits));
    out.dataset("/signature_sizes/parity_bits", column<std::uint64_t>(sizes, &SignatureSize::parity_bits));
    out.dataset("/signature_sizes/flagged_share", column<double>(sizes, &SignatureSize::flagged_share));
    out.dataset("/signature_sizes/total_overhead", column<double>(sizes, &SignatureSize::total_overhead));
}

std::vector<SignatureSize> read_signature_sizes(const H5Reader& in)
{
    std::vector<SignatureSize> sizes;
    for (const std::string& name : in.texts("/signature_sizes/encoding"))
        sizes.push_back({name});
    const auto fill = [&](const char* path, auto member) {
        using Value = std::decay_t<decltype(SignatureSize{}.*member)>;
        const auto values = in.dataset<Value>(path);
        in.expect(values.size() == sizes.size(), "the columns of '/signature_sizes' are not of one length");
        for (std::size_t i = 0; i < values.size(); ++i)
            sizes[i].*member = values[i];
    };
    fill("/signature_sizes/bits", &SignatureSize::bits);
    fill("/signature_sizes/check_bits", &SignatureSize::check_bits);
    fill("/signature_sizes/parity_bits", &SignatureSize::parity_bits);
    fill("/signature_sizes/flagged_share", &SignatureSize::flagged_share);
    fill("/signature_sizes/total_overhead", &SignatureSize::total_overhead);
    for (const SignatureSize& size : sizes)
        in.expect(size.flagged_share >= 0 && size.flagged_share <= 1 && size.total_overhead >= 0 &&
                      std::isfinite(size.total_overhead),
                  fmt::format("'/signature_sizes' has impossible numbers for '{}'", size.encoding));
    return sizes;
}

std::vector<FrontPoint> read_front(const H5Reader& in)
{
    std::vector<FrontPoint> front;
    const auto bits = in.dataset<std::uint64_t>("/front/extra_bits");
    const auto overhead = in.dataset<double>("/front/overhead");
    const auto residual = in.dataset<double>("/front/predicted_residual");
    in.expect(overhead.size() == bits.size() && residual.size() == bits.size(),
              "the columns of '/front' are not of one length");
    for (std::size_t p = 0; p < bits.size(); ++p)
    {
        in.expect(
            std::isfinite(overhead[p]) && overhead[p] >= 0 && residual[p] >= 0 && std::isfinite(residual[p]),
            fmt::format("row {} of '/front' is impossible: {} %, {}", p, overhead[p], residual[p]));
        front.push_back({bits[p], overhead[p], residual[p]});
    }
    return front;
}

/// \throws FileError unless an option is one that can be.
void check_option(const H5Reader& in, const ProtectionOption& option, std::size_t row)
{
    constexpr double kRounding = 1e-9;
    const auto is_size = [](double value) { return std::isfinite(value) && value >= 0; };
    const auto is_share = [](double value) { return value >= 0 && value <= 1 + kRounding; };
    FS_CHECK(FileError, find_protection_scheme(option.scheme) != nullptr,
             "'{}': row {} of '/options' has the scheme '{}'; {} would be right", in.file_name(), row,
             option.scheme, protection_scheme_choices('\''));
    FS_CHECK(
        FileError,
        (std::isnan(option.threshold) || is_share(option.threshold)) && is_share(option.flagged_share) &&
            is_size(option.parity_overhead) && is_size(option.signature_overhead) &&
            is_size(option.total_overhead),
        "'{}': row {} of '/options' is impossible: threshold {}, flagged share {}, overheads {} + {} = {} %",
        in.file_name(), row, option.threshold, option.flagged_share, option.parity_overhead,
        option.signature_overhead, option.total_overhead);
    FS_CHECK(
        FileError,
        is_share(option.predicted_residual) &&
            !(option.predicted_high < option.predicted_residual - kRounding) &&
            is_share(option.measured_low) && option.measured_low <= option.measured_residual + kRounding &&
            option.measured_residual <= option.measured_high + kRounding && is_share(option.measured_high),
        "'{}': row {} of '/options' leaves an impossible share critical: predicted {}, measured {} [{}, {}]",
        in.file_name(), row, option.predicted_residual, option.measured_residual, option.measured_low,
        option.measured_high);
}

/// \throws FileError unless what the file has beside its tables is what can be.
void check_values(const H5Reader& in, const ProtectionRecord& protection)
{
    const auto options = static_cast<std::int64_t>(protection.options.size());
    in.expect(protection.chosen >= -1 && protection.chosen < options,
              fmt::format("'chosen' is {}, which is no row of '/options'", protection.chosen));
    in.expect(protection.tolerance >= 0 && protection.tolerance <= 1 && protection.ber >= 0 &&
                  protection.ber <= 1 && protection.word_bits >= 1 && protection.word_bits <= 64,
              fmt::format("'tolerance' {}, 'ber' {} and 'word_bits' {} cannot be", protection.tolerance,
                          protection.ber, protection.word_bits));
    in.expect(std::isfinite(protection.fit_per_mbit) && protection.fit_per_mbit >= 0 &&
                  protection.multi_bit_share >= 0 && protection.multi_bit_share <= 1 &&
                  std::isfinite(protection.scrub_hours) && protection.scrub_hours >= 0,
              fmt::format("'fit_per_mbit' {}, 'multi_bit_share' {} and 'scrub_hours' {} cannot be",
                          protection.fit_per_mbit, protection.multi_bit_share, protection.scrub_hours));
    const bool optimized =
        protection.chosen >= 0 && protection.chosen < options &&
        protection.options[static_cast<std::size_t>(protection.chosen)].scheme == "optimized";
    in.expect(!optimized || protection.plan.size() == protection.signature.size(),
              "'optimized' is chosen, but '/plan' does not say how each layer is kept");
    const OverheadRow& overhead = protection.overhead;
    in.expect(std::isfinite(overhead.all_parameters) && std::isfinite(overhead.critical_parameters) &&
                  std::isfinite(overhead.signature) && std::isfinite(overhead.gain),
              "'/overhead' is not finite");
    for (std::size_t row = 0; row < protection.options.size(); ++row)
        check_option(in, protection.options[row], row);
}

}  // namespace

void write_protection(const std::filesystem::path& file, const ProtectionRecord& protection)
{
    H5Writer out(file, protection_spec(), protection.provenance);
    out.attribute("/", "forest_sha256", protection.forest_sha256);
    out.attribute("/", "tolerance", protection.tolerance);
    out.attribute("/", "ber", protection.ber);
    out.attribute("/", "word_bits", protection.word_bits);
    out.attribute("/", "fit_per_mbit", protection.fit_per_mbit);
    out.attribute("/", "multi_bit_share", protection.multi_bit_share);
    out.attribute("/", "scrub_hours", protection.scrub_hours);
    out.attribute("/", "chosen", protection.chosen);
    using Option = ProtectionOption;
    const std::vector<Option>& options = protection.options;
    out.dataset("/options/scheme", column<std::string>(options, &Option::scheme));
    out.dataset("/options/threshold", column<double>(options, &Option::threshold));
    out.dataset("/options/flagged_share", column<double>(options, &Option::flagged_share));
    out.dataset("/options/parity_bits", column<std::uint64_t>(options, &Option::parity_bits));
    out.dataset("/options/signature_bits", column<std::uint64_t>(options, &Option::signature_bits));
    out.dataset("/options/parity_overhead", column<double>(options, &Option::parity_overhead));
    out.dataset("/options/signature_overhead", column<double>(options, &Option::signature_overhead));
    out.dataset("/options/total_overhead", column<double>(options, &Option::total_overhead));
    out.dataset("/options/predicted_residual", column<double>(options, &Option::predicted_residual));
    out.dataset("/options/measured_residual", column<double>(options, &Option::measured_residual));
    out.dataset("/options/measured_low", column<double>(options, &Option::measured_low));
    out.dataset("/options/measured_high", column<double>(options, &Option::measured_high));
    out.dataset("/options/predicted_high", column<double>(options, &Option::predicted_high));
    out.dataset("/options/pareto", column<std::uint8_t>(options, &Option::pareto));
    out.attribute("/overhead", "all_parameters", protection.overhead.all_parameters);
    out.attribute("/overhead", "critical_parameters", protection.overhead.critical_parameters);
    out.attribute("/overhead", "signature", protection.overhead.signature);
    out.attribute("/overhead", "gain", protection.overhead.gain);
    for (const LayerSignature& layer : protection.signature)
    {
        const std::string path = "/signature/" + layer.layer;
        out.dataset(path, packed(layer.flagged));
        out.attribute(path, "weights", static_cast<std::uint64_t>(layer.flagged.size()));
    }
    if (!protection.signature_sizes.empty()) write_signature_sizes(out, protection.signature_sizes);
    if (!protection.plan.empty())
    {
        write_layer_protection(out, protection.plan);
        write_front(out, protection.front);
    }
    out.publish();
}

ProtectionRecord read_protection(const std::filesystem::path& file)
{
    const H5Reader in(file, protection_spec());
    ProtectionRecord protection;
    protection.provenance = in.provenance();
    protection.forest_sha256 = in.text_attribute("/", "forest_sha256");
    protection.tolerance = in.attribute<double>("/", "tolerance");
    protection.ber = in.attribute<double>("/", "ber");
    protection.word_bits = in.attribute<std::int32_t>("/", "word_bits");
    protection.chosen = in.attribute<std::int32_t>("/", "chosen");
    if (in.minor_version() >= 2)
    {
        protection.fit_per_mbit = in.attribute<double>("/", "fit_per_mbit");
        protection.multi_bit_share = in.attribute<double>("/", "multi_bit_share");
        protection.scrub_hours = in.attribute<double>("/", "scrub_hours");
    }
    const std::vector<std::string> schemes = in.texts("/options/scheme");
    protection.options.resize(schemes.size());
    for (std::size_t i = 0; i < schemes.size(); ++i)
        protection.options[i].scheme = schemes[i];
    const auto fill = [&](const std::string& name, auto member) {
        using Value = std::decay_t<decltype(ProtectionOption{}.*member)>;
        using Stored = std::conditional_t<std::is_same_v<Value, bool>, std::uint8_t, Value>;
        const auto values = in.dataset<Stored>("/options/" + name);
        in.expect(values.size() == schemes.size(),
                  fmt::format("'/options/{}' has {} rows, '/options/scheme' {}", name, values.size(),
                              schemes.size()));
        for (std::size_t i = 0; i < values.size(); ++i)
        {
            protection.options[i].*member = static_cast<Value>(values[i]);
        }
    };
    using Option = ProtectionOption;
    fill("threshold", &Option::threshold);
    fill("flagged_share", &Option::flagged_share);
    fill("parity_bits", &Option::parity_bits);
    fill("signature_bits", &Option::signature_bits);
    fill("parity_overhead", &Option::parity_overhead);
    fill("signature_overhead", &Option::signature_overhead);
    fill("total_overhead", &Option::total_overhead);
    fill("predicted_residual", &Option::predicted_residual);
    fill("measured_residual", &Option::measured_residual);
    fill("measured_low", &Option::measured_low);
    fill("measured_high", &Option::measured_high);
    fill("pareto", &Option::pareto);
    for (Option& option : protection.options)
        option.predicted_high = std::numeric_limits<double>::quiet_NaN();
    if (in.minor_version() >= 2) fill("predicted_high", &Option::predicted_high);
    protection.overhead.all_parameters = in.attribute<double>("/overhead", "all_parameters");
    protection.overhead.critical_parameters = in.attribute<double>("/overhead", "critical_parameters");
    protection.overhead.signature = in.attribute<double>("/overhead", "signature");
    protection.overhead.gain = in.attribute<double>("/overhead", "gain");
    for (const std::string& name : in.names("/signature"))
    {
        const std::string path = "/signature/" + name;
        const auto weights = in.attribute<std::uint64_t>(path, "weights");
        const auto bytes = in.dataset<std::uint8_t>(path);
        in.expect(bytes.size() == packed_bytes(weights),
                  fmt::format("'{}' has {} bytes for {} parameters", path, bytes.size(), weights));
        in.expect(weights % 8 == 0 || static_cast<std::uint8_t>(bytes.back() << (weights % 8)) == 0,
                  fmt::format("'{}' flags more than its {} parameters", path, weights));
        protection.signature.push_back({name, unpacked(bytes, weights)});
    }
    if (in.minor_version() >= 2 && in.has("/signature_sizes"))
        protection.signature_sizes = read_signature_sizes(in);
    if (in.minor_version() >= 2 && in.has("/plan"))
    {
        protection.plan = read_layer_protection(in);
        protection.front = read_front(in);
    }
    check_values(in, protection);
    return protection;
}

}  // namespace flipstorm
