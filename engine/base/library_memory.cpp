#include "engine/base/library_memory.hpp"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "engine/base/failure_text.hpp"

namespace flipstorm
{
namespace
{

using Allocate = void* (*)(int);
using Free = void (*)(void*);

/// A function of a library that is loaded; null: there is none of that name.
template<class Function>
Function loaded_function(const char* name)
{
    return reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, name));
}

/// Of a new thread, in bytes, with its guard page.
std::size_t stack_size()
{
    constexpr std::size_t kUsual = std::size_t{8} << 20U;
    struct rlimit limit = {};
    const bool known = ::getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return (known ? static_cast<std::size_t>(limit.rlim_cur) : kUsual) + 4096;
}

}  // namespace

bool has_openblas() noexcept
{
    return loaded_function<Allocate>("blas_memory_alloc") != nullptr;
}

bool has_room_for(std::size_t bytes) noexcept
{
    void* const room = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return false;
    ::munmap(room, bytes);
    return true;
}

bool reserve_library_memory(int threads)
{
    static std::size_t taken = 0;
    const auto wanted = static_cast<std::size_t>(std::max(threads, 1));
    if (!address_space_limit()) return false;
    if (wanted <= taken) return true;
    const auto allocate = loaded_function<Allocate>("blas_memory_alloc");
    const auto free = loaded_function<Free>("blas_memory_free");
    const bool openblas = allocate != nullptr && free != nullptr;
    // The team of OpenMP; LibTorch's pool, at first for all cores; and the threads that watch.
    const std::size_t stacks = wanted + std::max(1U, std::thread::hardware_concurrency()) + 2;
    const std::size_t need = (openblas ? (wanted - taken) * kBlasBuffer : 0) + stacks * stack_size();
    FS_CHECK(MemoryError, has_room_for(need), "{}",
             memory_message(fmt::format("setting up {} computing thread(s), which need another {} MiB",
                                        wanted, (need >> 20U) + 1)));
    taken = wanted;
    if (!openblas) return true;
    std::vector<void*> buffers;
    for (std::size_t i = 0; i < wanted; ++i)
        buffers.push_back(allocate(1));
    for (void* buffer : buffers)
        free(buffer);
    return true;
}

}  // namespace flipstorm
