#pragma once
// A protected memory for those who build the hardware or the firmware: its bytes, and C++ that decodes them.

#include <filesystem>

#include "hdf5_schema/protected_file.hpp"

namespace flipstorm
{

/**
 * Write protected_memory.bin, protected_memory.hpp and protected_memory.cpp into a folder.
 *
 * The image holds layer after layer, each beginning at a whole byte: its words, least significant byte first,
 * then the check bits beside them, the first in the lowest bit of a byte. The source (C++11, no library but
 * the standard one) has a table of the layers and of their parity-check matrices, and decodes any of them.
 *
 * \throws FileError. Thread-safe.
 */
void export_memory(const ProtectedRecord& memory, const std::filesystem::path& folder);

/// The bytes of protected_memory.bin. Thread-safe.
[[nodiscard]] std::string memory_image(const ProtectedRecord& memory);

}  // namespace flipstorm
