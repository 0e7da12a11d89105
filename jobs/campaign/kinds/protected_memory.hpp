#pragma once
// A network's memory under codes, as upsets find it: its bits, and what a decoder makes of them.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/memory/codes/layer_code.hpp"
#include "engine/memory/word_fault.hpp"
#include "engine/network/changed_words.hpp"
#include "hdf5_schema/protected_file.hpp"

namespace flipstorm
{

/// Parts of a layer's memory, as /faults/region of campaign.h5 numbers them.
enum class MemoryRegion : std::uint8_t
{
    data = 0,   ///< its words; check bits may lie in them
    check = 1,  ///< check bits beside them
};

/// What a decoder makes of an upset.
struct UpsetReading
{
    Verdict verdict = Verdict::clean;  ///< of the block that was hit
    std::vector<ChangedWord> changed;
};

/// What decoders make of many upsets of a memory.
struct MemoryReading
{
    std::uint64_t corrected = 0;  ///< blocks
    std::uint64_t detected = 0;
    std::vector<ChangedWord> changed;  ///< by layer
};

/// The memory of protected.h5 beside its network. Does not change; thread-safe.
class ProtectedMemory
{
  public:
    /**
     * \param kinds  of the tensors that a campaign may strike
     * \param file   of the record, for messages
     * \throws DataError unless the record's layers are tensors of the network that may be struck, of as many
     * words of as many bits
     */
    ProtectedMemory(const Network& network, const std::vector<TensorKind>& kinds,
                    const ProtectedRecord& record, const std::string& file);

    /// Parts that faults strike, as if each were a layer: the words of each layer, by its name, then the
    /// check bits beside those of each that has some, by "<name>:check". The position is the layer id.
    [[nodiscard]] const std::vector<InjectableLayer>& parts() const { return parts_; }
    [[nodiscard]] MemoryRegion region(LayerId part) const;
    /// The layer whose words a part holds or checks, as injectable_layers() of the kinds numbers it.
    [[nodiscard]] LayerId layer(LayerId part) const;

    /// What an upset of a word of a part leads to. \throws Error if there is no such word
    [[nodiscard]] UpsetReading read(LayerId part, std::uint64_t word, WordFault fault) const;

    /// What upsets of the whole memory lead to: bits of the first layer's words, of the check bits beside
    /// them, of the second layer's, and so on. \param upset  rising \throws Error if there is no such bit
    [[nodiscard]] MemoryReading read(const std::vector<std::uint64_t>& upset) const;

    /// What the words read as without an upset, put into the network. \pre of the network it was made with
    void put_into(Network& network) const;

    /// memory_digest of the record.
    [[nodiscard]] const std::string& sha256() const { return sha256_; }
    /// Bits of all parts.
    [[nodiscard]] std::uint64_t bits() const;

  private:
    struct Layer
    {
        InjectableLayer tensor;  ///< as the network has it
        ProtectedWords words;
        std::vector<std::uint32_t> golden;

        /// Append the words of a block that read otherwise than without an upset.
        void add_changed(const ProtectedWords::Block& block, std::vector<ChangedWord>& changed) const;
    };

    std::string sha256_;
    std::vector<Layer> layers_;
    std::vector<InjectableLayer> parts_;
    std::vector<std::size_t> layer_of_part_;  ///< position in layers_
};

/// The record of a protected.h5 of that network, as the model file has it. \throws FileError; DataError if it
/// is of another one
[[nodiscard]] ProtectedRecord read_protected_of(const std::string& file, const Network& network);

/// "protected.h5" of campaign.protected, checked and put beside the network. \throws FileError, DataError
[[nodiscard]] ProtectedMemory load_protected_memory(const std::string& file, const Network& network,
                                                    const std::vector<TensorKind>& kinds);

}  // namespace flipstorm
