#include "engine/base/library_memory.hpp"

#include <dlfcn.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
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

void reserve_blas_buffers(int threads)
{
    static std::size_t taken = 0;
    const auto wanted = static_cast<std::size_t>(std::max(threads, 1));
    if (!address_space_limit() || wanted <= taken) return;
    const auto allocate = loaded_function<Allocate>("blas_memory_alloc");
    const auto free = loaded_function<Free>("blas_memory_free");
    if (allocate == nullptr || free == nullptr) return;
    FS_CHECK(MemoryError, has_room_for((wanted - taken) * kBlasBuffer), "{}",
             memory_message(fmt::format("setting up OpenBLAS, which needs {} MiB for {} thread(s)",
                                        wanted * (kBlasBuffer >> 20U), wanted)));
    std::vector<void*> buffers;
    for (std::size_t i = 0; i < wanted; ++i)
        buffers.push_back(allocate(1));
    for (void* buffer : buffers)
        free(buffer);
    taken = wanted;
}

}  // namespace flipstorm
