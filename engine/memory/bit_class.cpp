#include "engine/memory/bit_class.hpp"

#include <algorithm>

namespace flipstorm
{
namespace
{

/// Bits of the exponent; 0: fixed point.
int exponent_bits(NumberFormat format)
{
    const std::string name = to_string(format);
    if (name == "fp32" || name == "bf16") return 8;
    return name == "fp16" ? 5 : 0;
}

/// Adds a class of the next `bits` positions, from the top; as many as there are.
class Builder
{
  public:
    explicit Builder(int word) : next_(word) { classes_.of_bit.resize(static_cast<std::size_t>(word)); }

    void add(const char* name, int bits, double followed)
    {
        bits = std::min(bits, next_);
        if (bits <= 0) return;
        for (int k = 0; k < bits; ++k)
            classes_.of_bit[static_cast<std::size_t>(--next_)] = classes_.size();
        classes_.names.emplace_back(name);
        classes_.followed.push_back(followed);
    }

    [[nodiscard]] BitClasses take() { return std::move(classes_); }

  private:
    BitClasses classes_;
    int next_;
};

}  // namespace

BitClasses bit_classes(NumberFormat format)
{
    const int word = word_bits(format);
    const int exponent = exponent_bits(format);
    Builder builder(word);
    if (exponent == 0)
    {
        builder.add("sign", 1, 0.3);
        builder.add("upper bits", 3, 0.2);
        builder.add("middle bits", 4, 0.05);
        builder.add("lower bits", word, 0.01);
        return builder.take();
    }
    // Measured with ResNet-18 on CIFAR-10, where half a per cent of the screened pairs is audited.
    const int upper = (exponent - 1) / 2;
    builder.add("sign", 1, 0.006);
    builder.add("top exponent", 1, 0.5);
    builder.add("upper exponent", upper, 0.006);
    builder.add("lower exponent", exponent - 1 - upper, 0.06);
    builder.add("upper mantissa", 4, 0.006);
    builder.add("middle mantissa", 7, 0.0055);
    builder.add("lower mantissa", word, 0.0055);
    return builder.take();
}

}  // namespace flipstorm
