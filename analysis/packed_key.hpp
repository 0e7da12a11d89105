#pragma once
// The codes of a row's features in a few words of 64 bits: rows are compared, sorted and moved as a whole.

#include <cstdint>
#include <vector>

namespace flipstorm
{

/// Where a feature's code lies in a key.
struct PackedField
{
    std::size_t word = 0;
    unsigned shift = 0;
    std::uint64_t mask = 0;

    /// The code in a key.
    [[nodiscard]] std::size_t of(const std::uint64_t* key) const { return in_word(key[word]); }

    /// The code in word `word` of a key.
    [[nodiscard]] std::size_t in_word(std::uint64_t value) const
    {
        return static_cast<std::size_t>((value >> shift) & mask);
    }
};

/**
 * As many bits for each feature as its number of codes needs; no feature lies in two words. Keys that are
 * compared word by word are in the lexicographic order of their codes.
 */
class KeyLayout
{
  public:
    KeyLayout() = default;

    /// \param codes  [features]: how many codes there are of each, from 1
    explicit KeyLayout(const std::vector<std::size_t>& codes)
    {
        std::vector<unsigned> width(codes.size());
        for (std::size_t f = 0; f < codes.size(); ++f)
        {
            while (width[f] < 63 && (std::size_t{1} << width[f]) < codes[f])
                ++width[f];
            if (used_ + width[f] > 64)
            {
                ++words_;
                used_ = 0;
            }
            used_ += width[f];
            fields_.push_back(
                {words_ - 1, width[f] == 0 ? 0 : 64 - used_, (std::uint64_t{1} << width[f]) - 1});
        }
    }

    /// Words of a key.
    [[nodiscard]] std::size_t words() const { return words_; }
    [[nodiscard]] const PackedField& field(std::size_t feature) const { return fields_[feature]; }
    [[nodiscard]] std::size_t features() const { return fields_.size(); }
    /// Lowest bits of the last word that no field lies in.
    [[nodiscard]] unsigned free_bits() const { return 64 - used_; }

  private:
    std::vector<PackedField> fields_;
    std::size_t words_ = 1;
    unsigned used_ = 0;  ///< bits of the last word
};

}  // namespace flipstorm
