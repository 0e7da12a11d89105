#pragma once
// Address space for the buffers of OpenBLAS. It takes one for each thread that multiplies matrices, when it
// first does, and where there is no room for it OpenBLAS 0.3 asks again for ever. So the room is taken at the
// start, or its absence told.

#include <cstddef>

namespace flipstorm
{

/// One buffer, in bytes (BUFFER_SIZE of OpenBLAS 0.3 on x86-64 and ARM64).
inline constexpr std::size_t kBlasBuffer = std::size_t{128} << 20U;

/// Is OpenBLAS, or something that takes buffers as it does, among the libraries of this process? Works before
/// they are initialised.
[[nodiscard]] bool has_openblas() noexcept;

/// Can the process get so much more address space now? Async-signal-safe.
[[nodiscard]] bool has_room_for(std::size_t bytes) noexcept;

/**
 * Let OpenBLAS take its buffers for so many threads now, if the address space of the process is limited and
 * OpenBLAS is the BLAS in use. It keeps them: calling it again costs nothing.
 *
 * \throws MemoryError if there is no room for them
 */
void reserve_blas_buffers(int threads);

}  // namespace flipstorm
