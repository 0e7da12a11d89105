#include "jobs/campaign/kinds/protected_memory.hpp"

#include <algorithm>
#include <map>

#include "engine/base/error.hpp"

namespace flipstorm
{

ProtectedMemory::ProtectedMemory(const Network& network, const std::vector<TensorKind>& kinds,
                                 const ProtectedRecord& record, const std::string& file)
    : sha256_(record.memory_sha256)
{
    const std::vector<InjectableLayer> tensors = injectable_layers(network, kinds);
    for (std::size_t l = 0; l < record.plan.size(); ++l)
    {
        const LayerProtection& plan = record.plan[l];
        const auto tensor = std::find_if(tensors.begin(), tensors.end(), [&](const InjectableLayer& other) {
            return other.name == plan.layer;
        });
        FS_CHECK(DataError, tensor != tensors.end(),
                 "'{}' protects '{}', which is none of the tensors that campaign.parameters names", file,
                 plan.layer);
        FS_CHECK(DataError, tensor->weights == plan.weights && tensor->word_bits == plan.word_bits,
                 "'{}' has {} words of {} bits for '{}'; the network has {} of {}", file, plan.weights,
                 plan.word_bits, plan.layer, tensor->weights, tensor->word_bits);
        ProtectedWords words = ProtectedWords::of_stored(plan.code, plan.word_bits, record.layers[l].words,
                                                         record.layers[l].checks);
        std::vector<std::uint32_t> golden = words.decode();
        layers_.push_back({*tensor, std::move(words), std::move(golden)});
    }
    for (const MemoryRegion region : {MemoryRegion::data, MemoryRegion::check})
    {
        for (std::size_t l = 0; l < layers_.size(); ++l)
        {
            InjectableLayer part = layers_[l].tensor;
            if (region == MemoryRegion::check)
            {
                if (layers_[l].words.checks().empty()) continue;
                part.name += ":check";
                part.tensor.clear();
                part.weights = layers_[l].words.checks().size();
                part.word_bits = layers_[l].words.check_width();
                part.out_channels = part.in_channels = 1;
                part.kernel_elements = static_cast<std::int32_t>(part.weights);
            }
            part.id = LayerId(static_cast<std::int32_t>(parts_.size()));
            parts_.push_back(std::move(part));
            layer_of_part_.push_back(l);
        }
    }
}

MemoryRegion ProtectedMemory::region(LayerId part) const
{
    return static_cast<std::size_t>(part.value()) < layers_.size() ? MemoryRegion::data : MemoryRegion::check;
}

LayerId ProtectedMemory::layer(LayerId part) const
{
    return layers_[layer_of_part_.at(static_cast<std::size_t>(part.value()))].tensor.id;
}

void ProtectedMemory::Layer::add_changed(const ProtectedWords::Block& block,
                                         std::vector<ChangedWord>& changed) const
{
    for (std::size_t i = 0; i < block.words.size(); ++i)
    {
        const std::uint64_t element = block.first + i;
        if (block.words[i] != golden[element]) changed.push_back({tensor.id, element, block.words[i]});
    }
}

UpsetReading ProtectedMemory::read(LayerId part, std::uint64_t word, WordFault fault) const
{
    const auto p = static_cast<std::size_t>(part.value());
    const Layer& layer = layers_[layer_of_part_.at(p)];
    const InjectableLayer& struck = parts_[p];
    FS_REQUIRE(word < struck.weights, "word {} of {} of '{}'", word, struck.weights, struck.name);
    const std::uint64_t first = (region(part) == MemoryRegion::check ? layer.words.data_bits() : 0) +
                                word * static_cast<std::uint64_t>(struck.word_bits);
    std::vector<std::uint64_t> upset;
    for (int bit = 0; bit < struck.word_bits; ++bit)
    {
        if ((fault.mask >> static_cast<unsigned>(bit) & 1U) == 0) continue;
        const std::uint64_t at = first + static_cast<std::uint64_t>(bit);
        const bool stays = (fault.effect == BitEffect::stuck_at_0 && !layer.words.bit(at)) ||
                           (fault.effect == BitEffect::stuck_at_1 && layer.words.bit(at));
        if (!stays) upset.push_back(at);
    }
    UpsetReading reading;
    if (upset.empty()) return reading;
    const ProtectedWords::Block block = layer.words.decode_upset(upset);
    reading.verdict = block.verdict;
    layer.add_changed(block, reading.changed);
    return reading;
}

MemoryReading ProtectedMemory::read(const std::vector<std::uint64_t>& upset) const
{
    MemoryReading reading;
    std::uint64_t first = 0;  // bit of the layer
    auto next = upset.begin();
    for (const Layer& layer : layers_)
    {
        // By block: bits of its words and of its check bits do not lie together.
        std::map<std::size_t, std::vector<std::uint64_t>> blocks;
        for (; next != upset.end() && *next < first + layer.words.bits(); ++next)
            blocks[layer.words.block_of(*next - first)].push_back(*next - first);
        for (const auto& [number, bits] : blocks)
        {
            const ProtectedWords::Block block = layer.words.decode_upset(bits);
            reading.corrected += block.verdict == Verdict::corrected ? 1 : 0;
            reading.detected += block.verdict == Verdict::detected ? 1 : 0;
            layer.add_changed(block, reading.changed);
        }
        first += layer.words.bits();
    }
    FS_REQUIRE(next == upset.end(), "bit {} of a memory of {}", *next, first);
    return reading;
}

void ProtectedMemory::put_into(Network& network) const
{
    for (const Layer& layer : layers_)
    {
        const StoredTensor before = struck_tensor(network, layer.tensor);
        for (std::size_t i = 0; i < layer.golden.size(); ++i)
        {
            if (layer.golden[i] != before.word(i)) set_struck_word(network, layer.tensor, i, layer.golden[i]);
        }
    }
}

std::uint64_t ProtectedMemory::bits() const
{
    std::uint64_t bits = 0;
    for (const Layer& layer : layers_)
        bits += layer.words.bits();
    return bits;
}

ProtectedRecord read_protected_of(const std::string& file, const Network& network)
{
    ProtectedRecord record = read_protected(file);
    FS_CHECK(DataError, record.provenance.model_sha256 == digest(network),
             "'{}' is the memory of another network than the model file's; run 'flipstorm harden' again, or "
             "name its model in model.file",
             file);
    return record;
}

ProtectedMemory load_protected_memory(const std::string& file, const Network& network,
                                      const std::vector<TensorKind>& kinds)
{
    return {network, kinds, read_protected(file), file};
}

}  // namespace flipstorm
