#pragma once
// The kernels of each instruction set that this program was compiled for.

#include "engine/compute/integer/integer_kernels.hpp"

namespace flipstorm
{

/// Of one instruction set, by word type.
struct IntegerKernelTables
{
    IntegerKernels<std::uint8_t> of_8;
    IntegerKernels<std::int16_t> of_16;
    IntegerKernels<std::int32_t> of_32;
};

[[nodiscard]] const IntegerKernelTables& integer_tables_portable();
#if defined(__x86_64__)
[[nodiscard]] const IntegerKernelTables& integer_tables_avx2();
[[nodiscard]] const IntegerKernelTables& integer_tables_avx512();
[[nodiscard]] const IntegerKernelTables& integer_tables_vnni();
#endif

}  // namespace flipstorm
