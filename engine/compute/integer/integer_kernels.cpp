#include "engine/compute/integer/integer_kernels.hpp"

#include "engine/compute/integer/integer_kernel_tables.hpp"

namespace flipstorm
{
namespace
{

const IntegerKernelTables* tables_of(std::string_view name)
{
    if (name == "portable") return &integer_tables_portable();
#if defined(__x86_64__)
    if (name == "avx2" && __builtin_cpu_supports("avx2") != 0) return &integer_tables_avx2();
    const bool avx512 = __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
                        __builtin_cpu_supports("avx512vl") != 0;
    if (name == "avx512" && avx512) return &integer_tables_avx512();
    if (name == "vnni" && avx512 && __builtin_cpu_supports("avx512vnni") != 0) return &integer_tables_vnni();
#endif
    return nullptr;
}

const IntegerKernelTables& best_tables()
{
    static const IntegerKernelTables& best = [&]() -> const IntegerKernelTables& {
        for (const char* name : {"vnni", "avx512", "avx2"})
        {
            if (const IntegerKernelTables* tables = tables_of(name)) return *tables;
        }
        return *tables_of("portable");
    }();
    return best;
}

}  // namespace

template<>
const IntegerKernels<std::uint8_t>& integer_kernels<std::uint8_t>()
{
    return best_tables().of_8;
}

template<>
const IntegerKernels<std::int16_t>& integer_kernels<std::int16_t>()
{
    return best_tables().of_16;
}

template<>
const IntegerKernels<std::int32_t>& integer_kernels<std::int32_t>()
{
    return best_tables().of_32;
}

template<>
const IntegerKernels<std::uint8_t>* integer_kernels_of<std::uint8_t>(std::string_view name)
{
    const IntegerKernelTables* const tables = tables_of(name);
    return tables == nullptr ? nullptr : &tables->of_8;
}

template<>
const IntegerKernels<std::int16_t>* integer_kernels_of<std::int16_t>(std::string_view name)
{
    const IntegerKernelTables* const tables = tables_of(name);
    return tables == nullptr ? nullptr : &tables->of_16;
}

template<>
const IntegerKernels<std::int32_t>* integer_kernels_of<std::int32_t>(std::string_view name)
{
    const IntegerKernelTables* const tables = tables_of(name);
    return tables == nullptr ? nullptr : &tables->of_32;
}

}  // namespace flipstorm
