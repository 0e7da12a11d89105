#pragma once
// A group of ranks that speak to each other. The default one is the null communicator: rank 0 of 1, for which
// MPI need not be running, so that the same code serves one process and a thousand. Copies share the handle.
//
// Every collective must be called by all ranks of the communicator, in the same order; ranks are not
// thread-safe among themselves: one thread per rank calls (MPI_THREAD_FUNNELED). All functions throw MpiError
// when MPI reports one.

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace flipstorm
{

/// How values of several ranks become one.
enum class Reduce
{
    sum,
    min,
    max,
    bit_or,  ///< integers only
};

/// Place of a rank among the ranks of its node (shared-memory domain).
struct NodePlace
{
    int local_rank = 0;
    int local_size = 1;
};

class Communicator
{
  public:
    /// The null communicator.
    Communicator() = default;

    /// Own `handle`: it is freed with the last copy. Its errors are returned from now on.
    [[nodiscard]] static Communicator adopt(MPI_Comm handle);

    [[nodiscard]] bool is_null() const { return !owner_; }
    [[nodiscard]] int rank() const { return rank_; }
    [[nodiscard]] int size() const { return size_; }
    [[nodiscard]] bool is_root() const { return rank_ == 0; }
    /// For libraries that speak MPI; MPI_COMM_NULL for the null communicator.
    [[nodiscard]] MPI_Comm handle() const;

    /// Wait for all ranks, at full speed and full load. \collective
    void barrier() const;

    /// Wait for all ranks with the processor free for others: looks every few milliseconds. For long waits,
    /// e.g. while rank 0 trains. \collective
    void patient_barrier() const;

    /// Give all ranks the bytes of `root`, of any length. \collective
    void broadcast(std::string& bytes, int root = 0) const;

    /// The value that `root` passed, on all ranks. \collective
    [[nodiscard]] std::uint64_t broadcast(std::uint64_t value, int root = 0) const;

    /// The reduced value, on all ranks. A sum of doubles depends on the number of ranks in its last
    /// bits. \collective
    [[nodiscard]] std::uint64_t all_reduce(std::uint64_t value, Reduce operation) const;
    [[nodiscard]] double all_reduce(double value, Reduce operation) const;

    /// Element-wise, in place, on all ranks; the length must be the same on all. \collective
    void all_reduce(std::vector<std::uint64_t>& values, Reduce operation) const;
    void all_reduce(std::vector<std::uint8_t>& values, Reduce operation) const;
    void all_reduce(float* values, std::size_t count, Reduce operation) const;

    /// The bytes of every rank, in rank order, on `root`; empty on the others. \collective
    [[nodiscard]] std::vector<std::string> gather(const std::string& bytes, int root = 0) const;

    /// The bytes of every rank, in rank order, on all ranks. \collective
    [[nodiscard]] std::vector<std::string> all_gather(const std::string& bytes) const;

    /**
     * Send `per_rank[r]` to rank r; returns what each rank sent here, in rank order. Any lengths.
     *
     * \throws Error unless there is one string per rank. \collective
     */
    [[nodiscard]] std::vector<std::string> exchange(std::vector<std::string> per_rank) const;

    /// The ranks that pass the same `color` (≥ 0), in their old order. \collective
    [[nodiscard]] Communicator split(int color) const;

    /// The ranks of this rank's node. \collective
    [[nodiscard]] Communicator split_by_node() const;

    /// This rank's place on its node. \collective
    [[nodiscard]] NodePlace node_place() const;

  private:
    class Owner;

    void require_root(int root) const;
    void reduce_in_place(void* values, std::size_t count, MPI_Datatype type, std::size_t bytes_each,
                         Reduce operation) const;

    std::shared_ptr<const Owner> owner_;
    int rank_ = 0;
    int size_ = 1;
};

}  // namespace flipstorm
