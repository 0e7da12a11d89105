#pragma once
// Sums over the ranks of a training by LibTorch's process groups instead of MPI: NCCL between GPUs, without a
// detour through the host; Gloo between processors, over TCP.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/compute/device.hpp"

namespace flipstorm
{

/// What computes the sums.
enum class ProcessGroup
{
    gloo,  ///< values in host memory
    nccl,  ///< values in the memory of each rank's GPU
};

/// "gloo", "nccl"
[[nodiscard]] const char* to_string(ProcessGroup kind);

/// Whether this build has it: its LibTorch was built with it, and its headers were there.
[[nodiscard]] bool has_process_group(ProcessGroup kind);

/// Where the ranks of a process group find each other: a port that rank 0 listens at.
class Rendezvous
{
  public:
    /// Listen at a free port of this host. \throws Error if there is none.
    Rendezvous();

    /// Connect to the rank that listens. \throws Error if it does not answer within a minute.
    Rendezvous(const std::string& host, std::uint16_t port);

    ~Rendezvous();
    Rendezvous(const Rendezvous&) = delete;
    Rendezvous& operator=(const Rendezvous&) = delete;

    [[nodiscard]] std::uint16_t port() const;

  private:
    friend class ProcessGroupSums;
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

/// Sums that run while this rank computes. One thread at a time; all ranks begin the same sums in the same
/// order, and get the same result to the last bit.
class ProcessGroupSums
{
  public:
    /// \throws Error if this build lacks the kind or the ranks do not find each other. \collective
    ProcessGroupSums(ProcessGroup kind, Rendezvous& rendezvous, int rank, int size, const Device& device);
    ~ProcessGroupSums();
    ProcessGroupSums(const ProcessGroupSums&) = delete;
    ProcessGroupSums& operator=(const ProcessGroupSums&) = delete;

    /// Begin to replace each value by its sum over the ranks. The values, in the memory of the kind, stay
    /// where they are until finish(). NCCL waits for what this thread has given its GPU to do, and what it
    /// gives it behind finish() waits for NCCL. \collective
    void begin(float* values, std::size_t count);

    /// Wait until all begun sums are there. \throws Error if one failed, for a rank that is gone, say.
    void finish();

  private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace flipstorm
