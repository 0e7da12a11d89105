#include "mpi/placement.hpp"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <string>

#include "engine/base/error.hpp"

namespace flipstorm
{

int choose_device(int local_rank, int visible_devices, int ranks_per_device)
{
    if (ranks_per_device > 0 && local_rank / ranks_per_device >= visible_devices) return -1;
    return visible_devices > 0 ? local_rank % visible_devices : -1;
}

int threads_per_rank(const std::vector<CpuSet>& cpus_of_ranks, int local_rank, int omp_num_threads,
                     int requested)
{
    FS_REQUIRE(local_rank >= 0 && static_cast<std::size_t>(local_rank) < cpus_of_ranks.size(),
               "local rank {} of {}", local_rank, cpus_of_ranks.size());
    if (requested > 0) return requested;
    if (omp_num_threads > 0) return omp_num_threads;

    std::map<int, int> users;
    for (const CpuSet& cpus : cpus_of_ranks)
    {
        for (const int cpu : cpus)
            ++users[cpu];
    }
    constexpr double kRounding = 1e-9;
    double share = kRounding;
    for (const int cpu : cpus_of_ranks[static_cast<std::size_t>(local_rank)])
        share += 1.0 / users[cpu];
    return std::max(1, static_cast<int>(share));
}

int parse_omp_num_threads(const char* value)
{
    if (value == nullptr) return 0;
    int threads = 0;
    const char* const end = value + std::strlen(value);
    const auto [rest, error] = std::from_chars(value, end, threads);
    const bool whole = error == std::errc{} && (rest == end || *rest == ',');
    return whole ? std::max(threads, 0) : 0;
}

CpuSet allowed_cpus()
{
    CpuSet result;
    // The kernel refuses (EINVAL) a set that is smaller than its own.
    for (std::size_t capacity = CPU_SETSIZE; result.empty(); capacity *= 2)
    {
        cpu_set_t* const set = CPU_ALLOC(capacity);
        FS_REQUIRE(set != nullptr, "out of memory for a set of {} processors", capacity);
        const std::size_t bytes = CPU_ALLOC_SIZE(capacity);
        const int status = sched_getaffinity(0, bytes, set);
        const int error = errno;
        for (std::size_t cpu = 0; status == 0 && cpu < capacity; ++cpu)
        {
            if (CPU_ISSET_S(cpu, bytes, set)) result.push_back(static_cast<int>(cpu));
        }
        CPU_FREE(set);
        FS_REQUIRE(status == 0 || (error == EINVAL && capacity < (std::size_t{1} << 20U)),
                   "cannot read the processors of this process: {}", std::strerror(error));
    }
    for (int place = 0; place < omp_get_num_places(); ++place)
    {
        CpuSet cpus(static_cast<std::size_t>(omp_get_place_num_procs(place)));
        omp_get_place_proc_ids(place, cpus.data());
        result.insert(result.end(), cpus.begin(), cpus.end());
    }
    std::sort(result.begin(), result.end());
    result.erase(std::unique(result.begin(), result.end()), result.end());
    return result;
}

std::vector<CpuSet> gather_allowed_cpus(const Communicator& node)
{
    const CpuSet mine = allowed_cpus();
    const std::string bytes(reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(int));
    std::vector<CpuSet> result;
    for (const std::string& theirs : node.all_gather(bytes))
    {
        CpuSet& cpus = result.emplace_back(theirs.size() / sizeof(int));
        std::memcpy(cpus.data(), theirs.data(), theirs.size());
    }
    return result;
}

}  // namespace flipstorm
