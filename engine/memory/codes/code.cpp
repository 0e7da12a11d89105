#include "engine/memory/codes/code.hpp"

#include "engine/base/error.hpp"
#include "engine/memory/codes/hamming.hpp"
#include "engine/memory/codes/hsiao.hpp"
#include "engine/memory/codes/parity.hpp"
#include "engine/memory/codes/triplication.hpp"

namespace flipstorm
{
namespace
{

/// The table: a row of each code. A code without one does not compile. Null: no code has that number.
const CodeTraits* row_of(CodeKind kind)
{
    switch (kind)
    {
        case CodeKind::hamming_sec:
            return &hamming_sec_code();
        case CodeKind::hsiao_sec_ded:
            return &hsiao_sec_ded_code();
        case CodeKind::triplication:
            return &triplication_code();
        case CodeKind::parity:
            return &parity_code();
    }
    return nullptr;
}

std::vector<CodeKind> all_codes()
{
    std::vector<CodeKind> all;
    for (auto kind = CodeKind{}; row_of(kind) != nullptr; kind = static_cast<CodeKind>(all.size()))
        all.push_back(kind);
    return all;
}

}  // namespace

const CodeTraits& code_traits(CodeKind kind)
{
    const CodeTraits* const row = row_of(kind);
    FS_REQUIRE(row != nullptr, "no code is number {}", static_cast<int>(kind));
    return *row;
}

const std::vector<CodeKind>& codes()
{
    static const std::vector<CodeKind> all = all_codes();
    return all;
}

ProtectedSize protected_size(CodeKind kind, std::uint64_t words, int word_bits)
{
    const auto check = static_cast<std::uint64_t>(code_traits(kind).check_bits(word_bits));
    return {words * static_cast<std::uint64_t>(word_bits), words * check};
}

}  // namespace flipstorm
