#include "engine/compute/cpu/kernels.hpp"

namespace flipstorm
{

extern const Kernels kernels_portable;
#ifdef __x86_64__
extern const Kernels kernels_avx512;
extern const Kernels kernels_avx2;
#endif

const Kernels* kernels_of(std::string_view name)
{
#ifdef __x86_64__
    if (name == "avx512" && __builtin_cpu_supports("avx512f") != 0 &&
        __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
        __builtin_cpu_supports("avx512bw") != 0)
        return &kernels_avx512;
    if (name == "avx2" && __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0)
        return &kernels_avx2;
#endif
    return name == "portable" ? &kernels_portable : nullptr;
}

const Kernels& native_kernels()
{
    static const Kernels& best = [&]() -> const Kernels& {
        for (const char* name : {"avx512", "avx2"})
        {
            if (const Kernels* kernels = kernels_of(name)) return *kernels;
        }
        return kernels_portable;
    }();
    return best;
}

}  // namespace flipstorm
