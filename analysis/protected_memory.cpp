#include "analysis/protected_memory.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/memory/codes/protection_scheme.hpp"

namespace flipstorm
{
namespace
{

/// A scheme that keeps all words alike, on words of so many bits.
LayerCode code_of(const ProtectionScheme& scheme, int word_bits)
{
    LayerCode code;
    code.name = scheme.code ? code_traits(*scheme.code).title : "as it is";
    if (!scheme.code) return code;
    code.code = scheme.code;
    code.covered =
        word_bits == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << static_cast<unsigned>(word_bits)) - 1;
    code.group = std::max(1, scheme.code_word_bits / word_bits);
    return code;
}

}  // namespace

std::optional<std::vector<LayerProtection>> chosen_plan(const ProtectionRecord& protection,
                                                        const std::vector<StoredTensor>& words)
{
    if (protection.chosen < 0) return std::nullopt;
    const std::string& name = protection.options.at(static_cast<std::size_t>(protection.chosen)).scheme;
    const ProtectionScheme* const scheme = find_protection_scheme(name);
    FS_REQUIRE(scheme != nullptr && words.size() == protection.signature.size(),
               "scheme '{}', {} of {} layers", name, words.size(), protection.signature.size());
    switch (scheme->coverage)
    {
        case Coverage::optimized:
            return protection.plan;
        case Coverage::critical:
            return std::nullopt;
        case Coverage::all:
            break;
    }
    std::vector<LayerProtection> plan;
    for (std::size_t l = 0; l < words.size(); ++l)
    {
        LayerProtection layer;
        layer.layer = protection.signature[l].layer;
        layer.weights = words[l].size();
        layer.word_bits = words[l].traits().bits;
        layer.code = code_of(*scheme, layer.word_bits);
        layer.extra_bits = extra_bits(layer.code, layer.weights);
        layer.xors = xors_per_word(layer.code);
        plan.push_back(std::move(layer));
    }
    return plan;
}

std::optional<ProtectedRecord> protect_network(const ProtectionRecord& protection,
                                               const std::vector<StoredTensor>& words)
{
    auto plan = chosen_plan(protection, words);
    if (!plan) return std::nullopt;
    ProtectedRecord memory;
    memory.protection_sha256 = protection.provenance.stage_sha256;
    memory.scheme = protection.options.at(static_cast<std::size_t>(protection.chosen)).scheme;
    memory.plan = std::move(*plan);
    for (std::size_t l = 0; l < words.size(); ++l)
        memory.layers.push_back(protect(memory.plan[l], words_of(words[l])));
    return memory;
}

}  // namespace flipstorm
