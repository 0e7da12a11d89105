#include "engine/network/operations/multiply.hpp"

#include <fmt/ranges.h>

namespace flipstorm
{

Shape MulOp::shape(const NodeCheck& node) const
{
    node.expect_inputs(2);
    const Shape& a = *node.inputs[0];
    const Shape& b = *node.inputs[1];
    const auto is_for_all = [](const Shape& one, const Shape& other) {
        return one.size() == 3 && other.size() == 3 && one == Shape{other[0], 1, 1};
    };
    node.expect(
        a == b || is_for_all(a, b) || is_for_all(b, a),
        fmt::format("multiplies shapes {} and {}; they must be the same, or one of them [C, 1, 1]", a, b));
    return elements(a) >= elements(b) ? a : b;
}

}  // namespace flipstorm
