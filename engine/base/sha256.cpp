#include "engine/base/sha256.hpp"

#include <openssl/evp.h>

#include <array>

#include "engine/base/error.hpp"

namespace flipstorm
{

struct Sha256::Context
{
    EVP_MD_CTX* handle = EVP_MD_CTX_new();
    Context() = default;
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() { EVP_MD_CTX_free(handle); }
};

Sha256::Sha256() : context_(std::make_unique<Context>())
{
    FS_REQUIRE(EVP_DigestInit_ex(context_->handle, EVP_sha256(), nullptr) == 1, "SHA-256 is not available");
}

Sha256::~Sha256() = default;

Sha256& Sha256::update(const void* data, std::size_t bytes)
{
    FS_REQUIRE(EVP_DigestUpdate(context_->handle, data, bytes) == 1, "SHA-256 update failed");
    return *this;
}

std::string Sha256::hex()
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    FS_REQUIRE(EVP_DigestFinal_ex(context_->handle, digest.data(), &length) == 1, "SHA-256 failed");
    std::string text;
    for (unsigned i = 0; i < length; ++i)
        text += fmt::format("{:02x}", digest[i]);
    return text;
}

std::string sha256_hex(std::string_view text)
{
    return Sha256().update(text).hex();
}

}  // namespace flipstorm
