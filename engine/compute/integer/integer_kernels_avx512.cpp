#include "engine/compute/integer/integer_kernel_tables.hpp"
#include "engine/compute/integer/integer_kernels_body.hpp"

namespace flipstorm
{

const IntegerKernelTables& integer_tables_avx512()
{
    static constexpr IntegerKernelTables tables{kernels_for<std::uint8_t>("avx512"),
                                                kernels_for<std::int16_t>("avx512"),
                                                kernels_for<std::int32_t>("avx512")};
    return tables;
}

}  // namespace flipstorm
