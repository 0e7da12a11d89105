#include "mpi/communicator.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "engine/base/error.hpp"
#include "mpi/mpi_check.hpp"

namespace flipstorm
{
namespace
{

/// MPI counts in int: longer buffers travel in pieces of this size.
constexpr std::size_t kPieceBytes = std::size_t{1} << 24U;

/// Call `visit(offset, length)` for each piece of a buffer.
template<class Visit>
void for_each_piece(std::size_t bytes, Visit&& visit)
{
    for (std::size_t offset = 0; offset < bytes; offset += kPieceBytes)
    {
        visit(offset, static_cast<int>(std::min(kPieceBytes, bytes - offset)));
    }
}

/// Byte strings under way between ranks. The pieces of a string arrive in order, as MPI keeps the order of
/// messages between two ranks.
class Transfers
{
  public:
    explicit Transfers(MPI_Comm comm) : comm_(comm) {}

    void send(const std::string& bytes, int to)
    {
        for_each_piece(bytes.size(), [&](std::size_t offset, int length) {
            FS_MPI(MPI_Isend(bytes.data() + offset, length, MPI_BYTE, to, kTag, comm_, new_request()));
        });
    }

    /// `bytes` must have its final size.
    void receive(std::string& bytes, int from)
    {
        for_each_piece(bytes.size(), [&](std::size_t offset, int length) {
            FS_MPI(MPI_Irecv(bytes.data() + offset, length, MPI_BYTE, from, kTag, comm_, new_request()));
        });
    }

    void wait()
    {
        FS_MPI(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE));
    }

  private:
    static constexpr int kTag = 1;

    MPI_Request* new_request() { return &requests_.emplace_back(MPI_REQUEST_NULL); }

    MPI_Comm comm_;
    std::vector<MPI_Request> requests_;
};

MPI_Op mpi_op(Reduce operation)
{
    switch (operation)
    {
        case Reduce::sum:
            return MPI_SUM;
        case Reduce::min:
            return MPI_MIN;
        case Reduce::max:
            return MPI_MAX;
        case Reduce::bit_or:
            return MPI_BOR;
    }
    throw Error("unknown reduction {}", static_cast<int>(operation));
}

}  // namespace

/// An MPI communicator that frees itself.
class Communicator::Owner
{
  public:
    explicit Owner(MPI_Comm handle) : handle_(handle) {}
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;

    /// MPI_Comm_free is collective: when an exception unwinds this rank, the others may never come.
    ~Owner()
    {
        int finalized = 0;
        MPI_Finalized(&finalized);
        if (finalized == 0 && std::uncaught_exceptions() == 0) MPI_Comm_free(&handle_);
    }

    [[nodiscard]] MPI_Comm handle() const { return handle_; }

  private:
    MPI_Comm handle_;
};

Communicator Communicator::adopt(MPI_Comm handle)
{
    Communicator result;
    result.owner_ = std::make_shared<const Owner>(handle);
    FS_MPI(MPI_Comm_set_errhandler(handle, MPI_ERRORS_RETURN));
    FS_MPI(MPI_Comm_rank(handle, &result.rank_));
    FS_MPI(MPI_Comm_size(handle, &result.size_));
    return result;
}

MPI_Comm Communicator::handle() const
{
    return owner_ ? owner_->handle() : MPI_COMM_NULL;
}

void Communicator::require_root(int root) const
{
    FS_REQUIRE(root >= 0 && root < size_, "no rank {} among {} ranks", root, size_);
}

void Communicator::barrier() const
{
    if (!is_null()) FS_MPI(MPI_Barrier(handle()));
}

void Communicator::patient_barrier() const
{
    using std::chrono::microseconds;
    constexpr microseconds kShortest{50};
    constexpr microseconds kLongest{5000};
    if (is_null()) return;
    MPI_Request request = MPI_REQUEST_NULL;
    FS_MPI(MPI_Ibarrier(handle(), &request));
    for (microseconds pause = kShortest;; pause = std::min(2 * pause, kLongest))
    {
        int done = 0;
        FS_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        if (done != 0) return;
        std::this_thread::sleep_for(pause);
    }
}

void Communicator::broadcast(std::string& bytes, int root) const
{
    require_root(root);
    if (is_null()) return;
    bytes.resize(broadcast(std::uint64_t{bytes.size()}, root));
    for_each_piece(bytes.size(), [&](std::size_t offset, int length) {
        FS_MPI(MPI_Bcast(bytes.data() + offset, length, MPI_BYTE, root, handle()));
    });
}

std::uint64_t Communicator::broadcast(std::uint64_t value, int root) const
{
    require_root(root);
    if (!is_null()) FS_MPI(MPI_Bcast(&value, 1, MPI_UINT64_T, root, handle()));
    return value;
}

void Communicator::reduce_in_place(void* values, std::size_t count, MPI_Datatype type, std::size_t bytes_each,
                                   Reduce operation) const
{
    const MPI_Op op = mpi_op(operation);
    if (is_null()) return;
    for_each_piece(count * bytes_each, [&](std::size_t offset, int length) {
        FS_MPI(MPI_Allreduce(MPI_IN_PLACE, static_cast<char*>(values) + offset,
                             length / static_cast<int>(bytes_each), type, op, handle()));
    });
}

std::uint64_t Communicator::all_reduce(std::uint64_t value, Reduce operation) const
{
    reduce_in_place(&value, 1, MPI_UINT64_T, sizeof value, operation);
    return value;
}

double Communicator::all_reduce(double value, Reduce operation) const
{
    FS_REQUIRE(operation != Reduce::bit_or, "no bitwise reduction of floating-point values");
    reduce_in_place(&value, 1, MPI_DOUBLE, sizeof value, operation);
    return value;
}

void Communicator::all_reduce(std::vector<std::uint64_t>& values, Reduce operation) const
{
    reduce_in_place(values.data(), values.size(), MPI_UINT64_T, sizeof(std::uint64_t), operation);
}

void Communicator::all_reduce(std::vector<std::uint8_t>& values, Reduce operation) const
{
    reduce_in_place(values.data(), values.size(), MPI_UINT8_T, sizeof(std::uint8_t), operation);
}

void Communicator::all_reduce(float* values, std::size_t count, Reduce operation) const
{
    FS_REQUIRE(operation != Reduce::bit_or, "no bitwise reduction of floating-point values");
    reduce_in_place(values, count, MPI_FLOAT, sizeof(float), operation);
}

std::vector<std::string> Communicator::gather(const std::string& bytes, int root) const
{
    require_root(root);
    if (is_null()) return {bytes};
    const std::uint64_t mine = bytes.size();
    const bool here = rank_ == root;
    std::vector<std::uint64_t> sizes(here ? static_cast<std::size_t>(size_) : 0);
    FS_MPI(MPI_Gather(&mine, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, root, handle()));

    std::vector<std::string> result(sizes.size());
    Transfers transfers(handle());
    if (!here) transfers.send(bytes, root);
    for (std::size_t r = 0; r < result.size(); ++r)
    {
        if (static_cast<int>(r) == root)
        {
            result[r] = bytes;
            continue;
        }
        result[r].resize(sizes[r]);
        transfers.receive(result[r], static_cast<int>(r));
    }
    transfers.wait();
    return result;
}

std::vector<std::string> Communicator::all_gather(const std::string& bytes) const
{
    if (is_null()) return {bytes};
    const auto ranks = static_cast<std::size_t>(size_);
    const std::uint64_t mine = bytes.size();
    std::vector<std::uint64_t> sizes(ranks);
    FS_MPI(MPI_Allgather(&mine, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, handle()));

    std::vector<std::string> result(ranks);
    for (std::size_t r = 0; r < ranks; ++r)
        result[r].reserve(sizes[r]);
    // Rounds of at most `share` bytes per rank, so that the displacements of a round fit an int.
    const std::uint64_t longest = *std::max_element(sizes.begin(), sizes.end());
    const std::uint64_t share = std::max<std::uint64_t>(1, (std::uint64_t{1} << 30U) / ranks);
    const std::uint64_t step = std::min<std::uint64_t>(kPieceBytes, share);
    std::vector<int> counts(ranks);
    std::vector<int> offsets(ranks);
    std::string round;
    for (std::uint64_t done = 0; done < longest; done += step)
    {
        int total = 0;
        for (std::size_t r = 0; r < ranks; ++r)
        {
            counts[r] = static_cast<int>(std::min(step, sizes[r] - std::min(sizes[r], done)));
            offsets[r] = total;
            total += counts[r];
        }
        round.resize(static_cast<std::size_t>(total));
        FS_MPI(MPI_Allgatherv(bytes.data() + std::min(mine, done), counts[static_cast<std::size_t>(rank_)],
                              MPI_BYTE, round.data(), counts.data(), offsets.data(), MPI_BYTE, handle()));
        for (std::size_t r = 0; r < ranks; ++r)
        {
            result[r].append(round, static_cast<std::size_t>(offsets[r]),
                             static_cast<std::size_t>(counts[r]));
        }
    }
    return result;
}

std::vector<std::string> Communicator::exchange(std::vector<std::string> per_rank) const
{
    FS_REQUIRE(per_rank.size() == static_cast<std::size_t>(size_), "exchange of {} strings among {} ranks",
               per_rank.size(), size_);
    if (is_null()) return per_rank;
    const auto ranks = static_cast<std::size_t>(size_);
    std::vector<std::uint64_t> sizes(ranks);
    std::vector<std::uint64_t> incoming(ranks);
    for (std::size_t r = 0; r < ranks; ++r)
        sizes[r] = per_rank[r].size();
    FS_MPI(MPI_Alltoall(sizes.data(), 1, MPI_UINT64_T, incoming.data(), 1, MPI_UINT64_T, handle()));

    std::vector<std::string> result(ranks);
    Transfers transfers(handle());
    for (std::size_t r = 0; r < ranks; ++r)
    {
        if (static_cast<int>(r) == rank_) continue;
        result[r].resize(incoming[r]);
        transfers.receive(result[r], static_cast<int>(r));
    }
    for (std::size_t r = 0; r < ranks; ++r)
    {
        if (static_cast<int>(r) != rank_) transfers.send(per_rank[r], static_cast<int>(r));
    }
    const auto here = static_cast<std::size_t>(rank_);
    result[here] = std::move(per_rank[here]);
    transfers.wait();
    return result;
}

Communicator Communicator::split(int color) const
{
    FS_REQUIRE(color >= 0, "the color of a split is {}, and must not be negative", color);
    if (is_null()) return {};
    MPI_Comm part = MPI_COMM_NULL;
    FS_MPI(MPI_Comm_split(handle(), color, rank_, &part));
    return adopt(part);
}

Communicator Communicator::split_by_node() const
{
    if (is_null()) return {};
    MPI_Comm node = MPI_COMM_NULL;
    FS_MPI(MPI_Comm_split_type(handle(), MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node));
    return adopt(node);
}

NodePlace Communicator::node_place() const
{
    const Communicator node = split_by_node();
    return {node.rank(), node.size()};
}

}  // namespace flipstorm
