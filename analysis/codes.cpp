#include "analysis/codes.hpp"

#include "engine/base/error.hpp"

namespace flipstorm
{

int hamming_sec_parity(int data_bits)
{
    FS_REQUIRE(data_bits >= 1, "a code over {} bits", data_bits);
    int parity = 2;
    while ((1LL << parity) < data_bits + parity + 1LL)
        ++parity;
    return parity;
}

double gain_percent(double all_parameters, double critical_parameters, double signature)
{
    return 100.0 * (1.0 - (critical_parameters + signature) / all_parameters);
}

}  // namespace flipstorm
