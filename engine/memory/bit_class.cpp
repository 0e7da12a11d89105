#include "engine/memory/bit_class.hpp"

namespace flipstorm
{

BitClasses bit_classes(NumberFormat format)
{
    const FormatTraits& traits = format_traits(format);
    BitClasses classes;
    classes.of_bit.resize(static_cast<std::size_t>(traits.bits));
    std::size_t next = classes.of_bit.size();
    for (const BitClass& row : traits.classes)
    {
        for (int k = 0; k < row.bits; ++k)
            classes.of_bit.at(--next) = classes.size();
        classes.names.push_back(row.name);
        classes.followed.push_back(row.followed);
    }
    return classes;
}

}  // namespace flipstorm
