#pragma once
// Ranks that are threads of one process, for tests of data-parallel training without MPI.

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "engine/compute/device.hpp"
#include "engine/train/training_ranks.hpp"

namespace flipstorm
{

/// Where threads add up their values, in the order of their ranks.
class Meeting
{
  public:
    explicit Meeting(int size) : values_(static_cast<std::size_t>(size)) {}

    template<class T>
    void sum(int rank, T* values, std::size_t count)
    {
        std::unique_lock<std::mutex> lock(guard_);
        values_[static_cast<std::size_t>(rank)] = values;
        const std::size_t round = round_;
        if (++arrived_ < values_.size())
        {
            turn_.wait(lock, [&] { return round_ != round; });
            return;
        }
        std::vector<T> total(count, T{0});
        for (const void* each : values_)
            for (std::size_t i = 0; i < count; ++i)
                total[i] += static_cast<const T*>(each)[i];
        for (void* each : values_)
            std::copy(total.begin(), total.end(), static_cast<T*>(each));
        arrived_ = 0;
        ++round_;
        turn_.notify_all();
    }

  private:
    std::mutex guard_;
    std::condition_variable turn_;
    std::vector<void*> values_;
    std::size_t arrived_ = 0;
    std::size_t round_ = 0;
};

class ThreadRanks : public TrainingRanks
{
  public:
    ThreadRanks(Meeting& blocking, Meeting& begun, int rank, int size)
        : blocking_(blocking), begun_(begun), rank_(rank), size_(size)
    {}

    [[nodiscard]] int rank() const override { return rank_; }
    [[nodiscard]] int size() const override { return size_; }
    void sum(double* values, std::size_t count) override { blocking_.sum(rank_, values, count); }
    void begin_sum(float* values, std::size_t count, Memory /*memory*/) override
    {
        pending_.emplace_back(values, count);
    }
    void finish_sums() override
    {
        for (const auto& [values, count] : pending_)
            begun_.sum(rank_, values, count);
        pending_.clear();
    }

  private:
    Meeting& blocking_;
    Meeting& begun_;
    int rank_;
    int size_;
    std::vector<std::pair<float*, std::size_t>> pending_;
};

/// Do something as `size` ranks at once. The first exception is thrown again.
inline void on_threads(int size, const std::function<void(TrainingRanks&)>& work)
{
    Meeting blocking(size);
    Meeting begun(size);
    std::vector<std::exception_ptr> failures(static_cast<std::size_t>(size));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size; ++rank)
    {
        threads.emplace_back([&, rank] {
            try
            {
                set_compute_threads(1);
                ThreadRanks ranks(blocking, begun, rank, size);
                work(ranks);
            }
            catch (...)
            {
                failures[static_cast<std::size_t>(rank)] = std::current_exception();
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    for (const std::exception_ptr& failure : failures)
    {
        if (failure) std::rethrow_exception(failure);
    }
}

}  // namespace flipstorm
