#pragma once
// Values that many own and nobody copies: a rank holds the parameters of a network once.

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace flipstorm
{

/**
 * An array of floats. Copies share it, so that they cost nothing; `edit` makes one's own copy first, where
 * others share it. Any number of threads may read; one that edits must be alone with its copy.
 */
class SharedValues
{
  public:
    SharedValues() = default;
    SharedValues(std::vector<float> values)  // NOLINT(google-explicit-constructor): an array is one
        : values_(std::make_shared<std::vector<float>>(std::move(values)))
    {}
    SharedValues(std::initializer_list<float> values) : SharedValues(std::vector<float>(values)) {}

    [[nodiscard]] const std::vector<float>& get() const { return *values_; }
    operator const std::vector<float>&() const { return get(); }  // NOLINT(google-explicit-constructor)

    [[nodiscard]] std::vector<float>& edit()
    {
        if (values_.use_count() != 1) values_ = std::make_shared<std::vector<float>>(*values_);
        return *values_;
    }

    [[nodiscard]] std::size_t size() const { return get().size(); }
    [[nodiscard]] bool empty() const { return get().empty(); }
    [[nodiscard]] const float* data() const { return get().data(); }
    [[nodiscard]] float front() const { return get().front(); }
    [[nodiscard]] const float& operator[](std::size_t i) const { return get()[i]; }
    [[nodiscard]] auto begin() const { return get().begin(); }
    [[nodiscard]] auto end() const { return get().end(); }

    friend bool operator==(const SharedValues& a, const SharedValues& b)
    {
        return a.values_ == b.values_ || a.get() == b.get();
    }
    friend bool operator==(const SharedValues& a, const std::vector<float>& b) { return a.get() == b; }

  private:
    std::shared_ptr<std::vector<float>> values_ = std::make_shared<std::vector<float>>();
};

}  // namespace flipstorm
