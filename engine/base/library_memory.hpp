#pragma once
// Address space for what libraries take once they compute: buffers of OpenBLAS, one for each thread that
// multiplies matrices, and the stacks of thread pools. Where there is no room OpenBLAS 0.3 asks again for
// ever, and LibTorch's pool waits for ever for a thread that was never born. So the room is looked for at the
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
 * If the address space of the process is limited, see that there is room for so many computing threads, and
 * let OpenBLAS take its buffers now. It keeps them: calling it again costs nothing.
 *
 * \return whether the address space is limited: then thread pools should be made now, too
 * \throws MemoryError if there is no room
 */
bool reserve_library_memory(int threads);

}  // namespace flipstorm
