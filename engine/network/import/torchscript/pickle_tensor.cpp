#include "engine/network/import/torchscript/pickle_tensor.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

namespace flipstorm::pickle
{
namespace
{

/// Bytes of an element of a storage class, "torch\nFloatStorage\n"; 0 if it is none of them.
std::uint64_t element_bytes(std::string_view storage)
{
    struct Row
    {
        std::string_view type;
        std::uint64_t bytes;
    };
    constexpr Row kRows[] = {{"Float", 4},       {"Double", 8},        {"Half", 2},
                             {"BFloat16", 2},    {"Long", 8},          {"Int", 4},
                             {"Short", 2},       {"Char", 1},          {"Byte", 1},
                             {"Bool", 1},        {"QInt8", 1},         {"QUInt8", 1},
                             {"QInt32", 4},      {"ComplexFloat", 8},  {"ComplexDouble", 16},
                             {"ComplexHalf", 4}, {"Float8_e4m3fn", 1}, {"Float8_e5m2", 1}};
    for (const Row& row : kRows)
    {
        if (storage == fmt::format("torch\n{}Storage\n", row.type)) return row.bytes;
    }
    return 0;
}

std::vector<std::int64_t> integers(const Value& tuple)
{
    FS_CHECK(Problem, tuple.kind == Kind::tuple && tuple.items,
             "it makes a tensor in another way than TorchScript does");
    std::vector<std::int64_t> numbers;
    for (const Value& item : *tuple.items)
    {
        FS_CHECK(Problem, item.kind == Kind::integer,
                 "it makes a tensor in another way than TorchScript does");
        numbers.push_back(item.number);
    }
    return numbers;
}

}  // namespace

Value storage_of(const Value& id, const RecordBytes& records)
{
    FS_CHECK(Problem,
             id.kind == Kind::tuple && id.items && id.items->size() >= 5 &&
                 (*id.items)[0].text == "storage" && (*id.items)[1].kind == Kind::global &&
                 (*id.items)[2].kind == Kind::text && (*id.items)[4].kind == Kind::integer,
             "it names a storage in another way than TorchScript does");
    const std::string_view type = (*id.items)[1].text;
    const std::string_view key = (*id.items)[2].text;
    const std::int64_t count = (*id.items)[4].number;
    const std::uint64_t bytes = element_bytes(type);
    FS_CHECK(Problem, bytes > 0, "it has a storage of an unknown type '{}'", type);
    FS_CHECK(
        Problem,
        count >= 0 && static_cast<std::uint64_t>(count) <= std::numeric_limits<std::uint64_t>::max() / bytes,
        "its storage '{}' has {} elements", key, count);
    const std::optional<std::uint64_t> record = records(key);
    FS_CHECK(Problem, record || count == 0, "its storage '{}' is not in the file", key);
    FS_CHECK(Problem, count == 0 || static_cast<std::uint64_t>(count) * bytes <= *record,
             "its storage '{}' has {} elements of {} bytes, but {} bytes in the file", key, count, bytes,
             record.value_or(0));
    Value value;
    value.kind = Kind::storage;
    value.number = count;
    return value;
}

void check_tensor(const std::vector<Value>& arguments)
{
    FS_CHECK(Problem, arguments.size() >= 4 && arguments[1].kind == Kind::integer,
             "it makes a tensor in another way than TorchScript does");
    const std::int64_t offset = arguments[1].number;
    const std::vector<std::int64_t> sizes = integers(arguments[2]);
    const std::vector<std::int64_t> strides = integers(arguments[3]);
    FS_CHECK(Problem, sizes.size() == strides.size(), "it has a tensor of {} sizes and {} strides",
             sizes.size(), strides.size());
    bool is_empty = false;
    bool is_inside = offset >= 0;
    std::int64_t last = offset;  // element of the storage
    for (std::size_t i = 0; i < sizes.size(); ++i)
    {
        std::int64_t step = 0;
        is_empty = is_empty || sizes[i] == 0;
        is_inside = is_inside && sizes[i] >= 0 && strides[i] >= 0 &&
                    !__builtin_mul_overflow(std::max<std::int64_t>(0, sizes[i] - 1), strides[i], &step) &&
                    !__builtin_add_overflow(last, step, &last);
    }
    const std::int64_t count = arguments[0].number;
    is_inside = is_inside && (is_empty ? offset <= count : last < count);
    FS_CHECK(Problem, is_inside,
             "it has a tensor [{}] with strides [{}] from element {}, of a storage of {} elements",
             fmt::join(sizes, ", "), fmt::join(strides, ", "), offset, count);
}

}  // namespace flipstorm::pickle
