#pragma once
// Which rows and columns of a node's output a change of some rows and columns of its input can be seen in,
// and which it reads. Every operation looks at its input through windows: of a kernel, of one element, of
// all.

#include <cstdint>

#include "engine/network/value_form.hpp"

namespace flipstorm
{

/// Some rows and columns of a value, with all channels.
struct Box
{
    std::int64_t top = 0;
    std::int64_t bottom = 0;  ///< behind the last row
    std::int64_t left = 0;
    std::int64_t right = 0;  ///< behind the last column

    [[nodiscard]] bool empty() const { return bottom <= top || right <= left; }
    [[nodiscard]] std::int64_t pixels() const { return empty() ? 0 : (bottom - top) * (right - left); }
    [[nodiscard]] bool operator==(const Box& other) const
    {
        return top == other.top && bottom == other.bottom && left == other.left && right == other.right;
    }
};

/// All of a value.
[[nodiscard]] Box whole_box(const ValueForm& form);

/// The smallest box around two.
[[nodiscard]] Box united(const Box& a, const Box& b);

[[nodiscard]] bool is_within(const Box& inner, const Box& outer);

/// \param in  an input of the node
[[nodiscard]] WindowGrid windows_of(const Node& node, const ValueForm& in);

/// The outputs whose windows touch a box of inputs; empty if none does.
[[nodiscard]] Box reached(const WindowGrid& windows, const Box& in, const ValueForm& out);

/// The inputs that the windows of a box of outputs read, without the padding.
[[nodiscard]] Box read_by(const WindowGrid& windows, const Box& out, const ValueForm& in);

}  // namespace flipstorm
