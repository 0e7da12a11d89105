// The kernels, written once; each integer_kernels_<isa>.cpp includes this file and is compiled for its
// instruction set.

#include "engine/compute/integer/kernels/changes.hpp"
#include "engine/compute/integer/kernels/pools.hpp"
#include "engine/compute/integer/kernels/product.hpp"
#include "engine/compute/integer/kernels/rescale.hpp"

namespace flipstorm
{
namespace
{

template<class Word>
constexpr IntegerKernels<Word> kernels_for(const char* name)
{
    IntegerKernels<Word> kernels{};
    kernels.name = name;
    kernels.product = product<Word>;
    kernels.product_change = product_change<Word>;
    kernels.changed_steps = changed_steps<Word>;
    kernels.rescale = rescale;
    kernels.rescale_codes = rescale_codes;
    kernels.rescale_channel = rescale_channel<Word>;
    kernels.relu = relu<Word>;
    kernels.max_pool = max_pool<Word>;
    kernels.max_pool_map = max_pool_map<Word>;
    kernels.add = add<Word>;
    kernels.widen_map = widen_map<Word>;
    kernels.differences = differences<Word>;
    kernels.change = change<Word>;
    kernels.channel = channel<Word>;
    return kernels;
}

}  // namespace
}  // namespace flipstorm
