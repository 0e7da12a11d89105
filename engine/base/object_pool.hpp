#pragma once
// Objects that threads take and give back, made where there is none.

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace flipstorm
{

/// Objects made of one source, which has to outlive them. Thread-safe.
template<class Object, class Source>
class ObjectPool
{
  public:
    explicit ObjectPool(const Source& source) : source_(source) {}

    [[nodiscard]] std::unique_ptr<Object> take()
    {
        const std::lock_guard<std::mutex> lock(guard_);
        if (free_.empty()) return std::make_unique<Object>(source_);
        std::unique_ptr<Object> object = std::move(free_.back());
        free_.pop_back();
        return object;
    }

    void give_back(std::unique_ptr<Object> object)
    {
        const std::lock_guard<std::mutex> lock(guard_);
        free_.push_back(std::move(object));
    }

  private:
    const Source& source_;
    std::mutex guard_;
    std::vector<std::unique_ptr<Object>> free_;
};

}  // namespace flipstorm
