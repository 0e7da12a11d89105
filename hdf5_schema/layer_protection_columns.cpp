#include "hdf5_schema/layer_protection_columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace flipstorm
{

std::vector<DatasetSpec> layer_protection_columns()
{
    using T = ElementType;
    return {
        {"/plan/layer", T::text, {"layer"}, "1", "layers, as the campaign names them"},
        {"/plan/weights", T::uint64, {"layer"}, "1", "words of the layer"},
        {"/plan/word_bits", T::int32, {"layer"}, "bit", "bits of a word"},
        {"/plan/option", T::text, {"layer"}, "1", "how its words are kept, in words"},
        {"/plan/code", T::text, {"layer"}, "1", "code: `none`, `sec`, `sec_ded`, `tmr` or `parity`"},
        {"/plan/forced",
         T::uint32,
         {"layer"},
         "1",
         "mask: bits that read as those of forced_value, whatever is stored"},
        {"/plan/forced_value", T::uint32, {"layer"}, "1", "value of the forced bits"},
        {"/plan/copies",
         T::uint32,
         {"layer"},
         "1",
         "mask: bits that read as the word's top bit, whatever is stored"},
        {"/plan/covered", T::uint32, {"layer"}, "1", "mask: bits under the code"},
        {"/plan/group",
         T::int32,
         {"layer"},
         "1",
         "most words of a block; W words make B = ceil(W / group) of them, and block b has those from "
         "floor(b W / B) on"},
        {"/plan/interleaved",
         T::uint8,
         {"layer"},
         "1",
         "what a word of the code is",
         {{0, "the covered bits of a block"}, {1, "those of one position in a block"}}},
        {"/plan/check_places",
         T::uint32,
         {"layer"},
         "1",
         "mask: bits that hold the check bits of a block, of its first word from the lowest on, then of "
         "the second; 0: they are stored beside the words"},
        {"/plan/on_detected",
         T::uint8,
         {"layer"},
         "1",
         "what becomes of a word with an error that the code cannot correct",
         {{0, "it reads as it is"}, {1, "it reads as 0"}}},
        {"/plan/extra_bits", T::uint64, {"layer"}, "bit", "bits stored beside the words"},
        {"/plan/critical_before",
         T::float64,
         {"layer"},
         "1",
         "bits whose upset is expected to be critical, without protection"},
        {"/plan/critical_after", T::float64, {"layer"}, "1", "the same, kept so"},
        {"/plan/change",
         T::float64,
         {"layer"},
         "1",
         "change of the weights where no upset is: root mean square, over that of the weights"},
        {"/plan/xors", T::float64, {"layer"}, "1", "two-input exclusive ors of the decoder for each word"},
    };
}

namespace
{

template<class T, class Member>
std::vector<T> column(const std::vector<LayerProtection>& rows, Member member)
{
    std::vector<T> values;
    for (const LayerProtection& row : rows)
        values.push_back(static_cast<T>(row.*member));
    return values;
}

/// The same of the codes of a plan.
template<class T, class Member>
std::vector<T> code_column(const std::vector<LayerProtection>& plan, Member member)
{
    std::vector<T> values;
    for (const LayerProtection& layer : plan)
        values.push_back(static_cast<T>(layer.code.*member));
    return values;
}

/// Code of a layer in the file: that of no code.
const char* const kNoCode = "none";

}  // namespace

void write_layer_protection(H5Writer& out, const std::vector<LayerProtection>& plan)
{
    using Layer = LayerProtection;
    std::vector<std::string> codes;
    for (const Layer& layer : plan)
        codes.push_back(layer.code.code ? code_traits(*layer.code.code).name : kNoCode);
    out.dataset("/plan/layer", column<std::string>(plan, &Layer::layer));
    out.dataset("/plan/weights", column<std::uint64_t>(plan, &Layer::weights));
    out.dataset("/plan/word_bits", column<std::int32_t>(plan, &Layer::word_bits));
    out.dataset("/plan/option", code_column<std::string>(plan, &LayerCode::name));
    out.dataset("/plan/code", codes);
    out.dataset("/plan/forced", code_column<std::uint32_t>(plan, &LayerCode::forced));
    out.dataset("/plan/forced_value", code_column<std::uint32_t>(plan, &LayerCode::forced_value));
    out.dataset("/plan/copies", code_column<std::uint32_t>(plan, &LayerCode::copies));
    out.dataset("/plan/covered", code_column<std::uint32_t>(plan, &LayerCode::covered));
    out.dataset("/plan/group", code_column<std::int32_t>(plan, &LayerCode::group));
    out.dataset("/plan/interleaved", code_column<std::uint8_t>(plan, &LayerCode::interleaved));
    out.dataset("/plan/check_places", code_column<std::uint32_t>(plan, &LayerCode::check_places));
    out.dataset("/plan/on_detected", code_column<std::uint8_t>(plan, &LayerCode::on_detected));
    out.dataset("/plan/extra_bits", column<std::uint64_t>(plan, &Layer::extra_bits));
    out.dataset("/plan/critical_before", column<double>(plan, &Layer::critical_before));
    out.dataset("/plan/critical_after", column<double>(plan, &Layer::critical_after));
    out.dataset("/plan/change", column<double>(plan, &Layer::change));
    out.dataset("/plan/xors", column<double>(plan, &Layer::xors));
}

namespace
{

/// A column of a table whose first has so many rows.
template<class T>
std::vector<T> column_of(const H5Reader& in, const std::string& path, std::size_t rows)
{
    auto values = in.dataset<T>(path);
    in.expect(values.size() == rows,
              fmt::format("'{}' has {} rows, its table {}", path, values.size(), rows));
    return values;
}

/// \throws FileError unless a layer can be kept so
void check_layer(const H5Reader& in, const LayerProtection& layer)
{
    try
    {
        require_possible(layer.code, layer.word_bits, layer.weights);
    }
    catch (const Error& error)
    {
        in.expect(false, fmt::format("'/plan' keeps layer '{}' in a way that cannot be: {}", layer.layer,
                                     error.what()));
    }
    in.expect(layer.extra_bits == extra_bits(layer.code, layer.weights),
              fmt::format("'/plan' has {} extra bits for layer '{}'; {} would be right", layer.extra_bits,
                          layer.layer, extra_bits(layer.code, layer.weights)));
    in.expect(layer.critical_before >= 0 && layer.critical_after >= 0 && layer.change >= 0 &&
                  layer.xors >= 0 && std::isfinite(layer.critical_before + layer.critical_after),
              fmt::format("'/plan' has negative or infinite numbers for layer '{}'", layer.layer));
}

}  // namespace

std::vector<LayerProtection> read_layer_protection(const H5Reader& in)
{
    const std::vector<std::string> names = in.texts("/plan/layer");
    const std::size_t rows = names.size();
    const std::vector<std::string> options = in.texts("/plan/option");
    const std::vector<std::string> code_names = in.texts("/plan/code");
    in.expect(options.size() == rows && code_names.size() == rows,
              "the columns of '/plan' are not of one length");
    std::vector<LayerProtection> plan(rows);
    for (std::size_t l = 0; l < rows; ++l)
    {
        plan[l].layer = names[l];
        plan[l].code.name = options[l];
        if (code_names[l] == kNoCode) continue;
        const auto kind = std::find_if(codes().begin(), codes().end(), [&](CodeKind candidate) {
            return code_traits(candidate).name == code_names[l];
        });
        in.expect(kind != codes().end(), fmt::format("'/plan/code' has '{}', which is none", code_names[l]));
        plan[l].code.code = *kind;
    }
    const auto fill = [&](const char* path, auto member) {
        const auto values = column_of<std::decay_t<decltype(LayerProtection{}.*member)>>(in, path, rows);
        for (std::size_t l = 0; l < rows; ++l)
            plan[l].*member = values[l];
    };
    const auto fill_code = [&](const char* path, auto member) {
        const auto values = column_of<std::decay_t<decltype(LayerCode{}.*member)>>(in, path, rows);
        for (std::size_t l = 0; l < rows; ++l)
            plan[l].code.*member = values[l];
    };
    fill("/plan/weights", &LayerProtection::weights);
    fill("/plan/word_bits", &LayerProtection::word_bits);
    fill_code("/plan/forced", &LayerCode::forced);
    fill_code("/plan/forced_value", &LayerCode::forced_value);
    fill_code("/plan/copies", &LayerCode::copies);
    fill_code("/plan/covered", &LayerCode::covered);
    fill_code("/plan/group", &LayerCode::group);
    fill_code("/plan/check_places", &LayerCode::check_places);
    const auto interleaved = column_of<std::uint8_t>(in, "/plan/interleaved", rows);
    const auto on_detected = column_of<std::uint8_t>(in, "/plan/on_detected", rows);
    for (std::size_t l = 0; l < rows; ++l)
    {
        in.expect(interleaved[l] <= 1 && on_detected[l] <= 1,
                  fmt::format("'/plan' has categories that are none for layer '{}'", names[l]));
        plan[l].code.interleaved = interleaved[l] == 1;
        plan[l].code.on_detected = on_detected[l] == 1 ? OnDetected::zero : OnDetected::keep;
    }
    fill("/plan/extra_bits", &LayerProtection::extra_bits);
    fill("/plan/critical_before", &LayerProtection::critical_before);
    fill("/plan/critical_after", &LayerProtection::critical_after);
    fill("/plan/change", &LayerProtection::change);
    fill("/plan/xors", &LayerProtection::xors);
    for (const LayerProtection& layer : plan)
        check_layer(in, layer);
    return plan;
}

}  // namespace flipstorm
