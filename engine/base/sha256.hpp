#pragma once
// SHA-256 digests (OpenSSL), which name jobs, models, data sets and stages in the files and the journal.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace flipstorm
{

/// A running SHA-256. Not shared between threads.
class Sha256
{
  public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    /// Add bytes.
    Sha256& update(const void* data, std::size_t bytes);
    Sha256& update(std::string_view text) { return update(text.data(), text.size()); }

    /// The digest as 64 hexadecimal digits; nothing may be added afterwards.
    [[nodiscard]] std::string hex();

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};

/// Digest of a text, 64 hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view text);

}  // namespace flipstorm
