#include "engine/faults/feature_map_fault.hpp"

#include "engine/base/error.hpp"
#include "engine/memory/faulty_value.hpp"

namespace flipstorm
{

Combine combine_from(std::string_view name)
{
    for (const Combine combine : {Combine::add, Combine::multiply, Combine::relative, Combine::bit_flip})
    {
        if (name == to_string(combine)) return combine;
    }
    throw JobError("transient.combine: '{}' is not known; it is one of: add, multiply, relative, bit_flip",
                   name);
}

const char* to_string(Combine combine)
{
    switch (combine)
    {
        case Combine::add:
            return "add";
        case Combine::multiply:
            return "multiply";
        case Combine::relative:
            return "relative";
        case Combine::bit_flip:
            return "bit_flip";
    }
    return "?";
}

FeatureMapFault draw_feature_map_fault(const FeatureMapRules& rules, const Shape& map, int word_bits,
                                       RandomStream& random)
{
    FS_REQUIRE(!rules.geometries.empty() && rules.geometries.size() == rules.channel_probability.size(),
               "{} geometries with {} channel probabilities", rules.geometries.size(),
               rules.channel_probability.size());
    FeatureMapFault fault;
    const std::size_t drawn = random.below(rules.geometries.size());
    fault.geometry = rules.geometries[drawn];
    fault.region = draw_region(fault.geometry, map, rules.channel_probability[drawn], random);
    fault.value = draw_error(rules.value, word_bits, random);
    fault.combine = rules.combine;
    if (fault.combine == Combine::relative && random.below(2) == 1) fault.value = -fault.value;
    return fault;
}

float corrupted(Combine combine, float golden, float value)
{
    switch (combine)
    {
        case Combine::add:
            return golden + value;
        case Combine::multiply:
            return golden * value;
        case Combine::relative:
            return static_cast<float>(static_cast<double>(golden) * (1.0 + static_cast<double>(value)));
        case Combine::bit_flip:
            return faulty_value(format_traits(NumberFormat::fp32), golden, bit_flip(static_cast<int>(value)));
    }
    return golden;
}

void for_each_struck(const FeatureMapFault& fault, const Shape& map,
                     const std::function<void(std::size_t)>& strike_element)
{
    const FaultRegion& region = fault.region;
    const std::int64_t height = map.size() == 3 ? map[1] : 1;
    const std::int64_t width = map.size() == 3 ? map[2] : 1;
    for (const std::int64_t channel : region.channels)
    {
        const auto strike = [&](std::int64_t position) {
            strike_element(static_cast<std::size_t>(channel * height * width + position));
        };
        if (fault.geometry == Geometry::random)
        {
            for (const std::int64_t position : region.positions)
                strike(position);
            continue;
        }
        for (std::int64_t row = region.row_begin; row < region.row_end; ++row)
        {
            for (std::int64_t column = region.column_begin; column < region.column_end; ++column)
                strike(row * width + column);
        }
    }
}

void corrupt(const FeatureMapFault& fault, const Shape& map, float* output)
{
    for_each_struck(fault, map, [&](std::size_t element) {
        output[element] = corrupted(fault.combine, output[element], fault.value);
    });
}

}  // namespace flipstorm
