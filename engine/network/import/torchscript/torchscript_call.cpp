#include "engine/network/import/torchscript/torchscript_call.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <sstream>
#include <tuple>

namespace flipstorm::torchscript
{
namespace
{

struct SourceLine
{
    std::string file;
    std::size_t line = 0;
    std::string text;

    [[nodiscard]] std::string show() const
    {
        return fmt::format("{}:{}{}{}", file, line, text.empty() ? "" : ": ", text);
    }
    /// Whether the line is PyTorch's own.
    [[nodiscard]] bool library() const
    {
        const auto within = [this](const char* folder) { return file.find(folder) != std::string::npos; };
        return within("torch/nn/") || within("torch/jit/") || within("torch/_") ||
               within("torch/functional.py");
    }
};

std::string trimmed(const std::string& text)
{
    constexpr const char* kBlank = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kBlank);
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// A line of a traced node's call stack, "FILE(LINE): FUNCTION".
std::optional<SourceLine> stack_line(const std::string& entry)
{
    const std::size_t close = entry.find("): ");
    const std::size_t open = entry.rfind('(', close);
    if (close == std::string::npos || open == std::string::npos) return {};
    const std::string digits = entry.substr(open + 1, close - open - 1);
    if (digits.empty() || digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string::npos)
        return {};
    return SourceLine{entry.substr(0, open), std::stoul(digits), "in " + trimmed(entry.substr(close + 3))};
}

/// What TorchScript recorded of a node, innermost first: a line of a script, or the stack of a trace.
std::vector<SourceLine> recorded_lines(const torch::jit::Node& node)
{
    const auto range = node.sourceRange().findSourceRangeThatGenerated();
    if (!range) return {};
    const auto place = range->file_line_col();
    if (!place || std::get<1>(*place) == 0) return {};
    std::vector<SourceLine> lines;
    std::istringstream text(range->source()->text_str().str());
    for (std::string entry; std::getline(text, entry);)
    {
        std::optional<SourceLine> line = stack_line(entry);
        if (!line) break;
        lines.push_back(std::move(*line));
    }
    if (!lines.empty() && lines.front().file == std::get<0>(*place)) return lines;
    const auto& source = *range->source();
    const std::size_t line = source.lineno_for_offset(range->start());
    return {{std::get<0>(*place), std::get<1>(*place), trimmed(source.get_line(line).str())}};
}

/// The same of a call; TorchScript may have recorded only what comes shortly before it.
std::vector<SourceLine> lines_of_call(const torch::jit::Node& call)
{
    std::vector<SourceLine> lines = recorded_lines(call);
    for (const torch::jit::Node* before = call.prev(); lines.empty() && before->kind() != c10::prim::Param;
         before = before->prev())
    {
        lines = recorded_lines(*before);
    }
    return lines;
}

}  // namespace

std::string python_source(const torch::jit::Node& node, const Frame& frame)
{
    // Outwards until the line is the user's.
    std::optional<SourceLine> innermost;
    std::vector<SourceLine> lines = recorded_lines(node);
    for (const Frame* each = &frame;; each = each->caller)
    {
        for (const SourceLine& line : lines)
        {
            if (!line.library())
            {
                return innermost ? fmt::format("{}; called at {}", innermost->show(), line.show())
                                 : line.show();
            }
            if (!innermost) innermost = line;
        }
        if (each->caller == nullptr) break;
        lines = lines_of_call(*each->call);
    }
    return innermost ? innermost->show() : "the file does not say where in the Python source";
}

std::string first_line(const std::string& text)
{
    const std::string line = trimmed(text);
    return line.empty() ? "unknown error" : trimmed(line.substr(0, line.find('\n')));
}

Call::Call(const torch::jit::Node& node, std::vector<Abstract> arguments, const Frame& frame)
    : node_(&node), arguments_(std::move(arguments)), frame_(&frame), kind_(node.kind().toQualString())
{}

bool Call::is_any_of(std::initializer_list<const char*> kinds) const
{
    return std::find(kinds.begin(), kinds.end(), kind_) != kinds.end();
}

void Call::refuse(const std::string& problem) const
{
    const std::string module = frame_->module.empty() ? "" : fmt::format(" in module '{}'", frame_->module);
    throw DataError("{}{}: {} ({})", kind_, module, problem, python_source(*node_, *frame_));
}

void Call::refuse_argument(const char* argument, const std::string& right) const
{
    const Abstract* found = find(argument);
    refuse(fmt::format("{} = {}, {}", argument, found == nullptr ? "nothing" : to_text(*found), right));
}

void Call::expect(bool holds, const char* argument, const std::string& right) const
{
    if (!holds) refuse_argument(argument, right);
}

const Abstract* Call::find(const char* argument) const
{
    const c10::FunctionSchema* schema = node_->maybeSchema();
    if (schema == nullptr) return nullptr;
    const auto index = schema->argumentIndexWithName(argument);
    if (!index || static_cast<std::size_t>(*index) >= arguments_.size()) return nullptr;
    return &arguments_[static_cast<std::size_t>(*index)];
}

bool Call::has(const char* argument) const
{
    const Abstract* found = find(argument);
    const auto* known = found == nullptr ? nullptr : std::get_if<Known>(found);
    return found != nullptr && (known == nullptr || !known->value.isNone());
}

const Abstract& Call::at(const char* argument) const
{
    const Abstract* found = find(argument);
    if (found == nullptr) refuse(fmt::format("a form of the operation without '{}'", argument));
    return *found;
}

TensorRef Call::tensor(const char* argument) const
{
    const auto* found = std::get_if<TensorRef>(&at(argument));
    expect(found != nullptr, argument, "it must be a value of the network");
    if (!(*found)->overwritten.empty())
    {
        refuse(fmt::format("'{}' was changed in place by {} through another view of it", argument,
                           (*found)->overwritten));
    }
    return *found;
}

const Known& Call::known(const char* argument) const
{
    const auto* found = std::get_if<Known>(&at(argument));
    expect(found != nullptr, argument, "it must not depend on the images");
    return *found;
}

const Known& Call::stored(const char* argument) const
{
    const Known& found = known(argument);
    expect(found.value.isTensor() && found.value.toTensor().defined(), argument,
           "it must be a stored tensor");
    const at::Tensor& tensor = found.value.toTensor();
    expect(found.origin != Origin::computed, argument,
           "it is computed when the network runs, but faults strike stored values");
    if (tensor.layout() != at::kStrided || tensor.scalar_type() != at::kFloat)
    {
        refuse(
            fmt::format("{} = {} has type {}; only float32 can be imported: save the model after "
                        ".float()",
                        argument, to_text(found), at::toString(tensor.scalar_type())));
    }
    return found;
}

Known Call::stored_or_none(const char* argument) const
{
    return has(argument) ? stored(argument) : Known{};
}

std::int64_t Call::integer(const char* argument) const
{
    const Known& value = known(argument);
    expect(value.value.isInt(), argument, "it must be an integer");
    return value.value.toInt();
}

double Call::number(const char* argument) const
{
    const Known& value = known(argument);
    expect(value.value.isInt() || value.value.isDouble(), argument, "it must be a number");
    return value.value.isInt() ? static_cast<double>(value.value.toInt()) : value.value.toDouble();
}

bool Call::flag(const char* argument) const
{
    const Known& value = known(argument);
    expect(value.value.isBool(), argument, "it must be True or False");
    return value.value.toBool();
}

std::string Call::text(const char* argument) const
{
    const Known& value = known(argument);
    expect(value.value.isString(), argument, "it must be a text");
    return value.value.toStringRef();
}

std::vector<std::int64_t> Call::integers(const char* argument) const
{
    const std::optional<std::vector<Abstract>> elements = elements_of(at(argument));
    if (!elements) return {integer(argument)};
    std::vector<std::int64_t> integers;
    for (const Abstract& element : *elements)
    {
        const auto* value = std::get_if<Known>(&element);
        expect(value != nullptr && value->value.isInt(), argument, "they must be integers");
        integers.push_back(value->value.toInt());
    }
    return integers;
}

std::int64_t Call::square(const char* argument) const
{
    const std::vector<std::int64_t> both = integers(argument);
    expect(both.size() == 1 || both.size() == 2, argument, "it must be one for height and width");
    expect(both.front() == both.back(), argument, "height and width must have the same");
    return both.front();
}

std::int64_t Call::dimension(const char* argument, std::int64_t rank) const
{
    const std::int64_t value = integer(argument);
    expect(value >= -rank && value < rank, argument, fmt::format("the tensor has {} dimensions", rank));
    return value < 0 ? value + rank : value;
}

}  // namespace flipstorm::torchscript
