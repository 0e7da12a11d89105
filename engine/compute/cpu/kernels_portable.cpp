#define FLIPSTORM_KERNELS kernels_portable
#define FLIPSTORM_KERNELS_NAME "portable"
#define FLIPSTORM_VECTOR_BYTES 16
#define FLIPSTORM_ACCUMULATORS 16
#define FLIPSTORM_MOST_VECTORS 1
#include "engine/compute/cpu/kernels_body.hpp"
