#pragma once
// The fault-free pass of a network of whole numbers.

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/data/dataset.hpp"
#include "engine/network/network.hpp"

namespace flipstorm
{

/// Fault-free passes of a network, made ready once. Thread-safe.
class IntegerPasses
{
  public:
    /// \throws JobError if integer_obstacle() says so
    explicit IntegerPasses(const Network& network);
    ~IntegerPasses();
    IntegerPasses(const IntegerPasses&) = delete;
    IntegerPasses& operator=(const IntegerPasses&) = delete;

    /// \param images  normalised, [count, C, H, W] \return [count, classes]
    [[nodiscard]] std::vector<float> logits(const float* images, std::int64_t count, int threads) const;

  private:
    class Implementation;
    template<class Word>
    class OfWord;
    std::unique_ptr<Implementation> implementation_;
};

/**
 * Logits of the images [first, first + count).
 *
 * \return [count, classes]
 * \throws JobError if integer_obstacle() says so. Thread-safe.
 */
[[nodiscard]] std::vector<float> integer_logits(const Network& network, const ImageSet& images,
                                                std::int64_t first, std::int64_t count, int threads);

}  // namespace flipstorm
