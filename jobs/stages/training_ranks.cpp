#include "jobs/stages/training_ranks.hpp"

#include <cstdlib>
#include <set>

#include "engine/base/error.hpp"
#include "jobs/resolve/context.hpp"
#include "mpi/lock_holder.hpp"

namespace flipstorm
{
namespace
{

/// Whether no two ranks compute on the same GPU, as NCCL demands. \collective
bool each_has_its_gpu(const Communicator& world, const Device& device)
{
    const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
    const std::string mine =
        device.cuda ? fmt::format("{}\n{}\n{}", host_name(), visible ? visible : "", device.index)
                    : std::string();
    std::set<std::string> gpus;
    for (const std::string& theirs : world.all_gather(mine))
    {
        if (theirs.empty() || !gpus.insert(theirs).second) return false;
    }
    return true;
}

}  // namespace

JobTrainingRanks::JobTrainingRanks(const Communicator& world, const Device& device,
                                   const std::string& collectives)
    : reducer_(world), rank_(world.rank()), size_(world.size()), on_gpu_(device.cuda)
{
    if (size_ == 1) return;
    const bool own_gpus = each_has_its_gpu(world, device);
    const bool nccl =
        collectives == "nccl" || (collectives == "auto" && own_gpus && has_process_group(ProcessGroup::nccl));
    on_all(world, [&] {
        FS_CHECK(MpiError, !on_gpu_ || mpi_takes_any_thread(),
                 "training on the GPUs of several ranks needs an MPI library with MPI_THREAD_SERIALIZED");
        FS_CHECK(
            JobError, !nccl || own_gpus,
            "device.collectives is \"nccl\", which needs a GPU of its own for every rank; use \"mpi\" or "
            "\"gloo\"");
        for (const ProcessGroup kind : {ProcessGroup::nccl, ProcessGroup::gloo})
        {
            FS_CHECK(
                JobError, collectives != to_string(kind) || has_process_group(kind),
                "device.collectives is \"{}\", but flipstorm was built without it: its LibTorch has none, "
                "or its headers were not found; use \"mpi\"",
                collectives);
        }
    });
    if (!nccl && collectives != "gloo") return;
    kind_ = nccl ? ProcessGroup::nccl : ProcessGroup::gloo;
    open_group(world, device);
}

void JobTrainingRanks::open_group(const Communicator& world, const Device& device)
{
    std::string place;
    on_all(world, [&] {
        if (!world.is_root()) return;
        rendezvous_ = std::make_unique<Rendezvous>();
        place = fmt::format("{}\n{}", host_name(), rendezvous_->port());
    });
    world.broadcast(place);
    on_all(world, [&] {
        const std::size_t end = place.find('\n');
        const std::string host = place.substr(0, end);
        if (!rendezvous_)
        {
            rendezvous_ =
                std::make_unique<Rendezvous>(host == host_name() ? "localhost" : host,
                                             static_cast<std::uint16_t>(std::stoi(place.substr(end + 1))));
        }
        group_ = std::make_unique<ProcessGroupSums>(kind_, *rendezvous_, rank_, size_, device);
    });
}

bool JobTrainingRanks::sums_device_memory() const
{
    return is_nccl() || (on_gpu_ && !group_ && mpi_takes_device_memory());
}

void JobTrainingRanks::begin_sum(float* values, std::size_t count, Memory memory)
{
    const bool by_group = group_ && (kind_ == ProcessGroup::gloo || memory == Memory::gpu);
    if (by_group)
        group_->begin(values, count);
    else
        reducer_.begin(values, count);
}

void JobTrainingRanks::finish_sums()
{
    reducer_.finish();
    if (group_) group_->finish();
}

std::string JobTrainingRanks::summed_by() const
{
    if (group_) return to_string(kind_);
    return sums_device_memory() ? "MPI in GPU memory" : "MPI";
}

}  // namespace flipstorm
