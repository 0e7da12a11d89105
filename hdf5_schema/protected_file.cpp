#include "hdf5_schema/protected_file.hpp"

#include <fmt/format.h>

#include "engine/base/error.hpp"
#include "engine/base/sha256.hpp"
#include "hdf5_schema/layer_protection_columns.hpp"
#include "hdf5_schema/word_columns.hpp"

namespace flipstorm
{
namespace
{

/// \throws FileError unless what is stored of a layer is what an encoder makes of what it reads as
void check_stored(const H5Reader& in, const LayerProtection& plan, const ProtectedLayer& layer)
{
    try
    {
        const ProtectedLayer again = protect(plan, decoded(plan, layer));
        in.expect(layer.words == again.words && layer.checks == again.checks &&
                      layer.check_width == again.check_width,
                  fmt::format("the stored bits of layer '{}' are none of its code: upset, or of another",
                              plan.layer));
    }
    catch (const FileError&)
    {
        throw;
    }
    catch (const Error& error)
    {
        in.expect(false, fmt::format("layer '{}' cannot be kept so: {}", plan.layer, error.what()));
    }
}

}  // namespace

std::vector<std::uint32_t> decoded(const LayerProtection& plan, const ProtectedLayer& layer)
{
    return ProtectedWords::of_stored(plan.code, plan.word_bits, layer.words, layer.checks).decode();
}

ProtectedLayer protect(const LayerProtection& layer, const std::vector<std::uint32_t>& words)
{
    const ProtectedWords memory(layer.code, layer.word_bits, words);
    return {memory.stored(), memory.checks(), memory.checks().empty() ? 0 : memory.check_width()};
}

std::string memory_digest(const ProtectedRecord& memory)
{
    Sha256 hash;
    hash.update("flipstorm memory\n");
    for (std::size_t l = 0; l < memory.plan.size(); ++l)
    {
        const LayerProtection& plan = memory.plan[l];
        const LayerCode& code = plan.code;
        hash.update(fmt::format("{} {} {} {} {} {} {} {} {} {} {} {}\n", plan.layer, plan.weights,
                                plan.word_bits, code.code ? code_traits(*code.code).name : "none",
                                code.forced, code.forced_value, code.copies, code.covered, code.group,
                                code.interleaved, code.check_places, static_cast<int>(code.on_detected)));
        const ProtectedLayer& layer = memory.layers[l];
        hash.update(std::string_view(reinterpret_cast<const char*>(layer.words.data()),
                                     layer.words.size() * sizeof layer.words[0]));
        hash.update(std::string_view(reinterpret_cast<const char*>(layer.checks.data()),
                                     layer.checks.size() * sizeof layer.checks[0]));
    }
    return hash.hex();
}

ProtectedIdentity identify_protected(const std::filesystem::path& file)
{
    const H5Reader in(file, protected_spec());
    return {in.text_attribute("/", "protection_sha256"), in.text_attribute("/", "memory_sha256")};
}

void write_protected(const std::filesystem::path& file, const ProtectedRecord& memory)
{
    H5Writer out(file, protected_spec(), memory.provenance);
    out.attribute("/", "protection_sha256", memory.protection_sha256);
    out.attribute("/", "memory_sha256", memory_digest(memory));
    out.attribute("/", "scheme", memory.scheme);
    write_layer_protection(out, memory.plan);
    for (std::size_t l = 0; l < memory.plan.size(); ++l)
    {
        const LayerProtection& plan = memory.plan[l];
        const ProtectedLayer& layer = memory.layers[l];
        write_words(out, "/words/" + plan.layer, layer.words, plan.word_bits, {layer.words.size()});
        const std::string checks = "/checks/" + plan.layer;
        out.dataset(checks, layer.checks);
        out.attribute(checks, "bits", layer.check_width);
    }
    out.publish();
}

ProtectedRecord read_protected(const std::filesystem::path& file)
{
    const H5Reader in(file, protected_spec());
    ProtectedRecord memory;
    memory.provenance = in.provenance();
    memory.protection_sha256 = in.text_attribute("/", "protection_sha256");
    memory.memory_sha256 = in.text_attribute("/", "memory_sha256");
    memory.scheme = in.text_attribute("/", "scheme");
    memory.plan = read_layer_protection(in);
    for (const LayerProtection& plan : memory.plan)
    {
        ProtectedLayer layer;
        layer.words = read_words(in, "/words/" + plan.layer, plan.word_bits);
        layer.checks = in.dataset<std::uint64_t>("/checks/" + plan.layer);
        layer.check_width = in.attribute<std::int32_t>("/checks/" + plan.layer, "bits");
        in.expect(layer.words.size() == plan.weights,
                  fmt::format("'/words/{}' has {} words, '/plan' {}", plan.layer, layer.words.size(),
                              plan.weights));
        check_stored(in, plan, layer);
        memory.layers.push_back(std::move(layer));
    }
    return memory;
}

}  // namespace flipstorm
