#define FLIPSTORM_KERNELS kernels_avx512
#define FLIPSTORM_KERNELS_NAME "avx512"
#define FLIPSTORM_VECTOR_BYTES 64
#define FLIPSTORM_ACCUMULATORS 24
#define FLIPSTORM_MOST_VECTORS 2
#include "engine/compute/cpu/kernels_body.hpp"
