#pragma once
// Values that many own and nobody copies: a rank holds the parameters of a network once.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace flipstorm
{

/**
 * An array of numbers. Copies share it, so that they cost nothing; `edit` makes one's own copy first, where
 * others share it. Any number of threads may read; one that edits must be alone with its copy.
 */
template<class T>
class SharedArray
{
  public:
    SharedArray() = default;
    SharedArray(std::vector<T> values)  // NOLINT(google-explicit-constructor): an array is one
        : values_(std::make_shared<std::vector<T>>(std::move(values)))
    {}
    SharedArray(std::initializer_list<T> values) : SharedArray(std::vector<T>(values)) {}

    [[nodiscard]] const std::vector<T>& get() const { return *values_; }
    operator const std::vector<T>&() const { return get(); }  // NOLINT(google-explicit-constructor)

    [[nodiscard]] std::vector<T>& edit()
    {
        if (values_.use_count() != 1) values_ = std::make_shared<std::vector<T>>(*values_);
        return *values_;
    }

    [[nodiscard]] std::size_t size() const { return get().size(); }
    [[nodiscard]] bool empty() const { return get().empty(); }
    [[nodiscard]] const T* data() const { return get().data(); }
    [[nodiscard]] T front() const { return get().front(); }
    [[nodiscard]] const T& operator[](std::size_t i) const { return get()[i]; }
    [[nodiscard]] auto begin() const { return get().begin(); }
    [[nodiscard]] auto end() const { return get().end(); }

    friend bool operator==(const SharedArray& a, const SharedArray& b)
    {
        return a.values_ == b.values_ || a.get() == b.get();
    }
    friend bool operator==(const SharedArray& a, const std::vector<T>& b) { return a.get() == b; }

  private:
    std::shared_ptr<std::vector<T>> values_ = std::make_shared<std::vector<T>>();
};

/// The values of a tensor.
using SharedValues = SharedArray<float>;

/// The stored words of a tensor.
using SharedWords = SharedArray<std::uint32_t>;

}  // namespace flipstorm
