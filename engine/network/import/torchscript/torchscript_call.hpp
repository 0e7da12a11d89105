#pragma once
// One TorchScript operation with its arguments, and where in the Python source it stands. Internal to the
// import; this header brings in LibTorch.

#include <torch/csrc/jit/ir/ir.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/network/import/torchscript/torchscript_values.hpp"

namespace flipstorm::torchscript
{

/// A function or method that is being followed.
struct Frame
{
    std::string module;  ///< path of the module it belongs to; empty: the whole network
    bool leaf = false;   ///< that module has no modules inside
    const Frame* caller = nullptr;
    const torch::jit::Node* call = nullptr;  ///< in the caller
};

/// An operation about to be done.
class Call
{
  public:
    Call(const torch::jit::Node& node, std::vector<Abstract> arguments, const Frame& frame);

    /// E.g. "aten::conv2d".
    [[nodiscard]] const std::string& kind() const { return kind_; }
    [[nodiscard]] bool is_any_of(std::initializer_list<const char*> kinds) const;
    [[nodiscard]] const Frame& frame() const { return *frame_; }
    [[nodiscard]] const torch::jit::Node& node() const { return *node_; }
    [[nodiscard]] const std::vector<Abstract>& arguments() const { return arguments_; }

    /// \throws DataError that names the operation, its module, what is wrong, and the Python source line.
    [[noreturn]] void refuse(const std::string& problem) const;
    /// The same unless `holds`, of one argument.
    void expect(bool holds, const char* argument, const std::string& right) const;

    /// Whether the operation has an argument of that name and it is not None.
    [[nodiscard]] bool has(const char* argument) const;
    // Arguments by name and type. All refuse what is of another type or depends on the images.
    [[nodiscard]] const Abstract& at(const char* argument) const;
    [[nodiscard]] TensorRef tensor(const char* argument) const;
    [[nodiscard]] const Known& known(const char* argument) const;
    /// A float32 tensor that is a parameter, a buffer or a constant: faults strike stored values.
    [[nodiscard]] const Known& stored(const char* argument) const;
    /// The same; without a tensor if the argument is None or missing.
    [[nodiscard]] Known stored_or_none(const char* argument) const;
    [[nodiscard]] std::int64_t integer(const char* argument) const;
    [[nodiscard]] double number(const char* argument) const;
    [[nodiscard]] bool flag(const char* argument) const;
    [[nodiscard]] std::string text(const char* argument) const;
    /// A list of integers; a single one is a list of one.
    [[nodiscard]] std::vector<std::int64_t> integers(const char* argument) const;
    /// The value of all of 1 or 2 equal integers; refuses others as not square.
    [[nodiscard]] std::int64_t square(const char* argument) const;
    /// A dimension argument, counted from 0 (the batch), of a tensor with so many dimensions.
    [[nodiscard]] std::int64_t dimension(const char* argument, std::int64_t rank) const;

  private:
    [[nodiscard]] const Abstract* find(const char* argument) const;
    [[noreturn]] void refuse_argument(const char* argument, const std::string& right) const;

    const torch::jit::Node* node_;
    std::vector<Abstract> arguments_;
    const Frame* frame_;
    std::string kind_;
};

/// The Python source line that a node was made from, as TorchScript recorded it: "FILE:LINE: TEXT".
std::string python_source(const torch::jit::Node& node, const Frame& frame);

/// The first line of an error of LibTorch, which says what is wrong; a trace of its own code comes behind.
std::string first_line(const std::string& text);

}  // namespace flipstorm::torchscript
