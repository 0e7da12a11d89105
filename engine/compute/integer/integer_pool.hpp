#pragma once
// What threads compute images of a network of whole numbers with: taken, and given back.

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/compute/integer/integer_image.hpp"

namespace flipstorm
{

template<class Word>
class IntegerPool
{
  public:
    explicit IntegerPool(const IntegerModel<Word>& model) : model_(model) {}

    std::unique_ptr<IntegerImage<Word>> take()
    {
        const std::lock_guard<std::mutex> lock(guard_);
        if (free_.empty()) return std::make_unique<IntegerImage<Word>>(model_);
        std::unique_ptr<IntegerImage<Word>> image = std::move(free_.back());
        free_.pop_back();
        return image;
    }

    void give_back(std::unique_ptr<IntegerImage<Word>> image)
    {
        const std::lock_guard<std::mutex> lock(guard_);
        free_.push_back(std::move(image));
    }

  private:
    const IntegerModel<Word>& model_;
    std::mutex guard_;
    std::vector<std::unique_ptr<IntegerImage<Word>>> free_;
};

/// Call `function` with a Word of the type that a network's values are stored in.
template<class Function>
auto with_word(std::int32_t word_bits, const Function& function)
{
    if (word_bits <= 8) return function(std::uint8_t{});
    if (word_bits <= 16) return function(std::int16_t{});
    return function(std::int32_t{});
}

}  // namespace flipstorm
