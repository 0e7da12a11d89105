#include "analysis/bag.hpp"

#include <algorithm>

#include "engine/base/error.hpp"

namespace flipstorm
{
namespace
{

/**
 * How often each of `count` rows comes in `draws` draws with replacement: `take(i, times)` for every row in
 * order.
 *
 * First the draws fall on blocks of rows, then those of a block on its rows: the same distribution as drawing
 * row by row, in memory that stays in the nearest cache.
 */
template<class Take>
void draw_with_replacement(std::uint32_t count, std::uint32_t draws, RandomStream& random, const Take& take)
{
    constexpr unsigned kBits = 10;
    constexpr std::uint32_t kRows = 1U << kBits;
    std::vector<std::uint32_t> falls((count + kRows - 1) / kRows, 0);
    for (std::uint32_t i = 0; i < draws; ++i)
        ++falls[random.below32(count) >> kBits];
    std::array<std::uint32_t, kRows> times{};
    for (std::uint32_t block = 0; block < falls.size(); ++block)
    {
        const std::uint32_t first = block << kBits;
        const std::uint32_t rows = std::min(kRows, count - first);
        std::uint32_t left = falls[block];
        if (rows == kRows)
        {
            for (; left >= 3; left -= 3)
            {
                const std::uint32_t bits = random.bits32();
                ++times[bits & (kRows - 1)];
                ++times[(bits >> kBits) & (kRows - 1)];
                ++times[(bits >> 2 * kBits) & (kRows - 1)];
            }
        }
        for (; left > 0; --left)
            ++times[random.below32(rows)];
        for (std::uint32_t i = 0; i < rows; ++i)
        {
            take(first + i, times[i]);
            times[i] = 0;
        }
    }
}

/// The numbers of `kept` of `count` rows, drawn without replacement, ascending.
std::vector<std::uint32_t> draw_without_replacement(std::uint32_t count, std::uint32_t kept,
                                                    RandomStream& random)
{
    // The smaller part is drawn: less than two draws for each.
    const bool complement = kept > count / 2;
    std::vector<std::uint64_t> drawn(count / 64 + 1, 0);
    for (std::uint32_t left = complement ? count - kept : kept; left > 0;)
    {
        const std::uint32_t row = random.below32(count);
        const std::uint64_t bit = std::uint64_t{1} << (row % 64);
        if ((drawn[row / 64] & bit) != 0) continue;
        drawn[row / 64] |= bit;
        --left;
    }
    std::vector<std::uint32_t> rows;
    rows.reserve(kept);
    for (std::uint32_t first = 0; first < count; first += 64)
    {
        std::uint64_t bits = complement ? ~drawn[first / 64] : drawn[first / 64];
        if (count - first < 64) bits &= (std::uint64_t{1} << (count - first)) - 1;
        for (; bits != 0; bits &= bits - 1)
            rows.push_back(first + static_cast<std::uint32_t>(__builtin_ctzll(bits)));
    }
    return rows;
}

}  // namespace

/// Makes samples of entries that come in order, each perhaps several times.
template<std::size_t Words>
class TrainingRows<Words>::Collector
{
  public:
    Collector(const TrainingRows& rows, std::size_t most) : rows_(rows), samples_(most + 1) {}

    void add(std::size_t entry, std::uint32_t times)
    {
        if (entry != entry_)
        {
            last_ += samples_[last_].weight != 0 ? 1U : 0U;
            entry_ = entry;
            samples_[last_] = {rows_.key_[entry], 0};
        }
        samples_[last_].weight += std::uint64_t{times} << (entry < rows_.critical_entries_ ? 0U : 32U);
    }

    std::vector<Sample<Words>> take()
    {
        samples_.resize(last_ + (samples_[last_].weight != 0 ? 1U : 0U));
        return std::move(samples_);
    }

  private:
    const TrainingRows& rows_;
    std::vector<Sample<Words>> samples_;
    std::size_t last_ = 0;
    std::size_t entry_ = static_cast<std::size_t>(-1);
};

template<std::size_t Words>
TrainingRows<Words>::TrainingRows(const FeatureTable& table, const std::vector<std::uint8_t>& labels,
                                  const std::vector<std::uint32_t>& rows)
{
    FS_REQUIRE(table.layout.words() <= Words, "keys of {} words in {}", table.layout.words(), Words);
    std::array<std::vector<std::uint32_t>, 2> rows_of_cell;
    rows_of_cell.fill(std::vector<std::uint32_t>(table.cells(), 0));
    for (const std::uint32_t row : rows)
        ++rows_of_cell[labels[row] != 0 ? 1 : 0][table.cell[row]];
    entry_.reserve(rows.size());
    for (std::size_t label = 0; label < 2; ++label)
    {
        critical_entries_ = key_.size();
        for (std::size_t cell = 0; cell < table.cells(); ++cell)
        {
            const std::uint32_t count = rows_of_cell[label][cell];
            if (count == 0) continue;
            entry_.insert(entry_.end(), count, static_cast<std::uint32_t>(key_.size()));
            count_[label] += count;
            std::array<std::uint64_t, Words> key{};
            std::copy_n(table.key(cell), table.layout.words(), key.begin());
            key_.push_back(key);
        }
    }
}

template<std::size_t Words>
void TrainingRows<Words>::draw_rows(std::uint32_t first, std::uint32_t count, std::uint32_t draws,
                                    RandomStream& random, Collector& collector) const
{
    draw_with_replacement(count, draws, random, [&](std::uint32_t i, std::uint32_t times) {
        collector.add(entry_[first + i], times);
    });
}

template<std::size_t Words>
void TrainingRows<Words>::draw_undersampled(RandomStream& random, Collector& collector) const
{
    const std::size_t majority = count_[0] > count_[1] ? 0 : 1;
    const std::uint32_t kept = count_[1 - majority];
    const std::vector<std::uint32_t> rows = draw_without_replacement(count_[majority], kept, random);
    // Acceptable rows come first, those of the majority as drawn.
    draw_with_replacement(2 * kept, 2 * kept, random, [&](std::uint32_t i, std::uint32_t times) {
        const std::size_t label = i < kept ? 0 : 1;
        const std::uint32_t within = label == 0 ? i : i - kept;
        const std::uint32_t row = label == majority ? rows[within] : within;
        collector.add(entry_[(label == 0 ? 0 : count_[0]) + row], times);
    });
}

template<std::size_t Words>
std::vector<Sample<Words>> TrainingRows<Words>::draw(Bag bag, RandomStream random) const
{
    const std::uint32_t minority = std::min(count_[0], count_[1]);
    FS_REQUIRE(bag == Bag::all || bag == Bag::bootstrap || minority > 0, "a balanced bag of {} and {} rows",
               count_[0], count_[1]);
    Collector collector(*this, bag == Bag::undersample_bootstrap
                                   ? std::min<std::size_t>(key_.size(), 2UL * minority)
                                   : key_.size());
    switch (bag)
    {
        case Bag::all:
            for (const std::uint32_t entry : entry_)
                collector.add(entry, 1);
            break;
        case Bag::bootstrap:
            draw_rows(0, count_[0] + count_[1], count_[0] + count_[1], random, collector);
            break;
        case Bag::undersample_bootstrap:
            draw_undersampled(random, collector);
            break;
        case Bag::stratified_bootstrap:
            draw_rows(0, count_[0], minority, random, collector);
            draw_rows(count_[0], count_[1], minority, random, collector);
            break;
    }
    return collector.take();
}

template class TrainingRows<1>;
template class TrainingRows<2>;
template class TrainingRows<4>;

}  // namespace flipstorm
