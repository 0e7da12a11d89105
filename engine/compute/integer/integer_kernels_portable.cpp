#include "engine/compute/integer/integer_kernel_tables.hpp"
#include "engine/compute/integer/integer_kernels_body.hpp"

namespace flipstorm
{

const IntegerKernelTables& integer_tables_portable()
{
    static constexpr IntegerKernelTables tables{kernels_for<std::uint8_t>("portable"),
                                                kernels_for<std::int16_t>("portable"),
                                                kernels_for<std::int32_t>("portable")};
    return tables;
}

}  // namespace flipstorm
