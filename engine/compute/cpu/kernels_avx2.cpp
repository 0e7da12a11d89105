#define FLIPSTORM_KERNELS kernels_avx2
#define FLIPSTORM_KERNELS_NAME "avx2"
#define FLIPSTORM_VECTOR_BYTES 32
#define FLIPSTORM_ACCUMULATORS 12
#define FLIPSTORM_MOST_VECTORS 1
#include "engine/compute/cpu/kernels_body.hpp"
