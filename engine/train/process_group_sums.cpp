#include "engine/train/process_group_sums.hpp"

#include <torch/torch.h>

#include <chrono>
#include <exception>
#include <functional>
#include <utility>
#include <vector>

#if defined(FLIPSTORM_GLOO) || defined(FLIPSTORM_NCCL)
#define FLIPSTORM_PROCESS_GROUPS
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif
#ifdef FLIPSTORM_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
#ifdef FLIPSTORM_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include "engine/base/error.hpp"

namespace flipstorm
{

const char* to_string(ProcessGroup kind)
{
    return kind == ProcessGroup::gloo ? "gloo" : "nccl";
}

bool has_process_group(ProcessGroup kind)
{
#ifdef FLIPSTORM_GLOO
    if (kind == ProcessGroup::gloo) return true;
#endif
#ifdef FLIPSTORM_NCCL
    if (kind == ProcessGroup::nccl) return true;
#endif
    static_cast<void>(kind);
    return false;
}

#ifdef FLIPSTORM_PROCESS_GROUPS

namespace
{

/// LibTorch's errors, which name its own sources at length, as ours.
template<class Work>
auto with_plain_errors(const char* what, Work&& work)
{
    try
    {
        return work();
    }
    catch (const Error&)
    {
        throw;
    }
    catch (const c10::Error& error)
    {
        throw Error("{}: {}", what, error.what_without_backtrace());
    }
    catch (const std::exception& error)
    {
        throw Error("{}: {}", what, error.what());
    }
}

}  // namespace

class Rendezvous::Implementation
{
  public:
    Implementation(const std::string& host, std::uint16_t port, bool listens)
    {
        with_plain_errors("the ranks of the training do not find each other", [&] {
            c10d::TCPStoreOptions options;
            options.port = port;
            options.isServer = listens;
            options.waitWorkers = false;
            options.timeout = std::chrono::minutes(1);
            store = c10::make_intrusive<c10d::TCPStore>(host, options);
        });
    }

    c10::intrusive_ptr<c10d::TCPStore> store;
};

Rendezvous::Rendezvous() : implementation_(std::make_unique<Implementation>("localhost", 0, true)) {}

Rendezvous::Rendezvous(const std::string& host, std::uint16_t port)
    : implementation_(std::make_unique<Implementation>(host, port, false))
{}

std::uint16_t Rendezvous::port() const
{
    return implementation_->store->getPort();
}

class ProcessGroupSums::Implementation
{
  public:
    Implementation(ProcessGroup kind, const c10::intrusive_ptr<c10d::TCPStore>& store, int rank, int size,
                   const Device& device)
    {
        with_plain_errors("the ranks of the training do not get together", [&] {
#ifdef FLIPSTORM_GLOO
            if (kind == ProcessGroup::gloo)
            {
                const auto options = c10d::ProcessGroupGloo::Options::create();
                options->devices.push_back(c10d::ProcessGroupGloo::createDefaultDevice());
                keep(c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options));
            }
#endif
#ifdef FLIPSTORM_NCCL
            if (kind == ProcessGroup::nccl)
            {
                memory_ = memory_.device(torch::kCUDA, static_cast<c10::DeviceIndex>(device.index));
                keep(c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size));
            }
#endif
        });
        static_cast<void>(device);
        FS_REQUIRE(all_reduce_, "this build of flipstorm has no {}", to_string(kind));
    }

    void begin(float* values, std::size_t count)
    {
        if (count == 0) return;
        std::vector<torch::Tensor> tensors{
            torch::from_blob(values, {static_cast<std::int64_t>(count)}, memory_)};
        with_plain_errors("sum of gradients", [&] { begun_.push_back(all_reduce_(tensors)); });
    }

    void finish()
    {
        for (const auto& work : std::exchange(begun_, {}))
            with_plain_errors("sum of gradients", [&] { work->wait(); });
    }

  private:
    template<class Group>
    void keep(c10::intrusive_ptr<Group> group)
    {
        all_reduce_ = [group = std::move(group)](std::vector<torch::Tensor>& tensors) {
            return group->allreduce(tensors, {});
        };
    }

    torch::TensorOptions memory_{torch::kFloat32};
    std::function<c10::intrusive_ptr<c10d::Work>(std::vector<torch::Tensor>&)> all_reduce_;
    std::vector<c10::intrusive_ptr<c10d::Work>> begun_;
};

ProcessGroupSums::ProcessGroupSums(ProcessGroup kind, Rendezvous& rendezvous, int rank, int size,
                                   const Device& device)
    : implementation_(
          std::make_unique<Implementation>(kind, rendezvous.implementation_->store, rank, size, device))
{}

void ProcessGroupSums::begin(float* values, std::size_t count)
{
    implementation_->begin(values, count);
}

void ProcessGroupSums::finish()
{
    implementation_->finish();
}

#else  // a LibTorch without them

class Rendezvous::Implementation
{};

class ProcessGroupSums::Implementation
{};

Rendezvous::Rendezvous() = default;
Rendezvous::Rendezvous(const std::string& /*host*/, std::uint16_t /*port*/) {}

std::uint16_t Rendezvous::port() const
{
    return 0;
}

ProcessGroupSums::ProcessGroupSums(ProcessGroup kind, Rendezvous& /*rendezvous*/, int /*rank*/, int /*size*/,
                                   const Device& /*device*/)
{
    throw Error("this build of flipstorm has no {}", to_string(kind));
}

void ProcessGroupSums::begin(float* /*values*/, std::size_t /*count*/) {}
void ProcessGroupSums::finish() {}

#endif

Rendezvous::~Rendezvous() = default;
ProcessGroupSums::~ProcessGroupSums() = default;

}  // namespace flipstorm
