#pragma once
// What TorchScript computes with while a module is followed without images: values that are known, and
// tensors that depend on the images. Internal to the import; this header brings in LibTorch.

#include <ATen/core/ivalue.h>

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/network/graph.hpp"

namespace flipstorm::torchscript
{

/// Where a known tensor comes from.
enum class Origin
{
    computed,   ///< from others, while the module runs
    attribute,  ///< a parameter or buffer of the module
    constant,   ///< a constant of the code
};

/// A value that does not depend on the images: a number, a list, a parameter, a module …
struct Known
{
    c10::IValue value;
    std::string name = {};  ///< of a module, parameter or buffer: its path, as in the state dict
    Origin origin = Origin::computed;
    bool transposed = false;  ///< a parameter whose two dimensions were swapped
    bool fresh = false;       ///< a tensor that shares memory with nothing stored
};

inline Known known_integer(std::int64_t value)
{
    return Known{c10::IValue(value)};
}

/// Whether a value is a module, not another object.
bool is_module(const c10::IValue& value);

/// How many images there are: the only number that is not known.
struct BatchSize
{};

/// A product with a stored weight that a bias may still be added to.
struct Product
{
    NodeId input;
    Known weight;  ///< [out, in]
};

struct Tensor;

/// Tensors that share memory, so that writing to one changes the others.
using Aliases = std::vector<std::weak_ptr<Tensor>>;

/// A tensor that depends on the images: the value of a node, in the same order, in some shape.
struct Tensor
{
    NodeId node;
    Shape shape;                            ///< for one image
    std::optional<Product> product = {};    ///< where there is no node yet
    std::shared_ptr<Aliases> aliases = {};  ///< null: none
    std::string overwritten = {};           ///< what changed it through an alias; empty: nothing
};
using TensorRef = std::shared_ptr<Tensor>;

/// Dimensions of a tensor, with that of the batch.
inline std::int64_t rank(const Tensor& tensor)
{
    return static_cast<std::int64_t>(tensor.shape.size()) + 1;
}

/// From now on the second shares the first's memory.
void join_aliases(const TensorRef& one, const TensorRef& other);

struct Sequence;
/// Lists are shared, as in Python.
using SequenceRef = std::shared_ptr<Sequence>;

using Abstract = std::variant<Known, BatchSize, TensorRef, SequenceRef>;

/// A list or a tuple.
struct Sequence
{
    std::vector<Abstract> elements;
    c10::TypePtr element_type;  ///< null: a tuple
};

/// The value as TorchScript has it; nothing if it depends on the images.
std::optional<c10::IValue> to_ivalue(const Abstract& value);

/// Elements of a list or tuple, known or not; nothing if it is neither.
std::optional<std::vector<Abstract>> elements_of(const Abstract& value);

/// The value for people: "[2, 2]", "the batch size", "a tensor of the network".
std::string to_text(const Abstract& value);

}  // namespace flipstorm::torchscript
