#include "engine/network/import/torchscript/torchscript.hpp"

#include <fmt/ranges.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/torch.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <sstream>

#include "engine/base/durable_file.hpp"
#include "engine/base/error.hpp"
#include "engine/base/sha256.hpp"
#include "engine/compute/torch/executor.hpp"
#include "engine/network/import/torchscript/pickle_check.hpp"
#include "engine/network/import/torchscript/script_text.hpp"
#include "engine/network/import/torchscript/torchscript_interpreter.hpp"
#include "engine/network/import/torchscript/zip_archive.hpp"

namespace flipstorm
{
namespace
{

constexpr const char* kHowToSave = "save one with torch.jit.script(model).save(FILE), or torch.jit.trace";

bool ends_with(const std::string& text, std::string_view end)
{
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// Look at what LibTorch would parse. \throws DataError if it could not do so without harm
void check_members(const std::vector<ZipMember>& members, const std::string& file)
{
    constexpr std::uint64_t kLongest = std::uint64_t{32} << 20U;  ///< of a pickle or a source, in bytes
    std::map<std::string_view, std::uint64_t> sizes;
    for (const ZipMember& member : members)
        sizes[member.name] = member.size;
    for (const ZipMember& member : members)
    {
        std::string lower = member.name;  // LibTorch looks for names without regard to case
        std::transform(lower.begin(), lower.end(), lower.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        std::optional<std::string> problem;
        if (ends_with(lower, "/data.pkl") || ends_with(lower, "/constants.pkl") ||
            ends_with(lower, ".debug_pkl"))
        {
            // The records of ROOT/data.pkl are ROOT/data/KEY.
            const std::string records = member.name.substr(0, member.name.rfind('.')) + "/";
            const auto bytes = [&](std::string_view key) -> std::optional<std::uint64_t> {
                const auto found = sizes.find(records + std::string(key));
                return found == sizes.end() ? std::nullopt : std::optional(found->second);
            };
            problem = pickle_problem(unpacked(member, kLongest, file), bytes);
        }
        else if (lower.find("/code/") != std::string::npos && ends_with(lower, ".py"))
        {
            problem = script_excess(unpacked(member, kLongest, file));
        }
        FS_CHECK(DataError, !problem, "'{}': '{}' in it is refused: {}", file, member.name, *problem);
    }
}

/// Module of a file's content, on the CPU, set to evaluation.
torch::jit::Module load_module(const std::string& content, const std::string& name)
{
    FS_CHECK(FileError, content.compare(0, 4, "PK\x03\x04") == 0, "'{}' is no TorchScript file; {}", name,
             kHowToSave);
    const std::vector<ZipMember> members = check_zip_archive(content, name);
    const bool has_code = std::any_of(members.begin(), members.end(), [](const ZipMember& member) {
        return member.name.find("/code/") != std::string::npos;
    });
    FS_CHECK(FileError, has_code,
             "'{}' is no TorchScript file (torch.save of a state dict or a module does not make one); {}",
             name, kHowToSave);
    check_members(members, name);
    std::string problem;
    try
    {
        std::istringstream stream(content);
        torch::jit::Module module = torch::jit::load(stream, c10::Device(c10::kCPU));
        module.eval();
        return module;
    }
    catch (const c10::Error& error)
    {
        problem = torchscript::first_line(error.what_without_backtrace());
    }
    catch (const std::exception& error)
    {
        problem = torchscript::first_line(error.what());
    }
    FS_CHECK(DataError, problem.find("Unknown builtin op") == std::string::npos, "'{}': {}", name, problem);
    throw FileError("'{}' is corrupt, or from a PyTorch that this LibTorch does not understand: {}", name,
                    problem);
}

/// What the names of parameters begin with, "layer1.0.conv1".
std::set<std::string> parameter_prefixes(const torch::jit::Module& module)
{
    std::set<std::string> prefixes;
    const auto add = [&prefixes](const std::string& name) {
        const std::size_t dot = name.rfind('.');
        prefixes.insert(name);
        if (dot != std::string::npos) prefixes.insert(name.substr(0, dot));
    };
    for (const auto& parameter : module.named_parameters())
        add(parameter.name);
    for (const auto& buffer : module.named_buffers())
        add(buffer.name);
    return prefixes;
}

}  // namespace

class TorchScript::Implementation
{
  public:
    explicit Implementation(const std::filesystem::path& file) : name(file.string())
    {
        constexpr std::uint64_t kLongest = (std::uint64_t{1} << 32U) - 1;  // zip's own limit
        const std::string content = read_file(file, kLongest);
        sha256 = sha256_hex(content);
        module = load_module(content, name);
    }

    /// Logits of normalised images, by TorchScript.
    torch::Tensor logits(const torch::Tensor& images, std::int64_t classes)
    {
        const c10::IValue result = forward(images);
        FS_CHECK(DataError, result.isTensor(), "'{}': its forward returns no tensor", name);
        torch::Tensor tensor = result.toTensor();
        FS_CHECK(
            DataError,
            tensor.dim() == 2 && tensor.size(0) == images.size(0) && tensor.size(1) == classes &&
                tensor.scalar_type() == torch::kFloat,
            "'{}': its forward returns {} of shape {} for {} images; flipstorm wants float32 logits of {} "
            "classes",
            name, c10::toString(tensor.scalar_type()), fmt::join(tensor.sizes(), "×"), images.size(0),
            classes);
        return tensor;
    }

    void add(LogitAgreement& agreement, const Executor& executor, const torch::Tensor& images,
             std::int64_t classes)
    {
        // The module may write to its input.
        const torch::Tensor expected = logits(images.clone(), classes);
        const torch::Tensor found = executor.forward(images);
        agreement.images += images.size(0);
        agreement.largest_logit = std::max(agreement.largest_logit, expected.abs().max().item<double>());
        const auto difference = (found - expected).abs().max().item<double>();
        // Not std::max, which would lose a NaN.
        if (!(difference <= agreement.max_difference)) agreement.max_difference = difference;
        agreement.top1_changed += (found.argmax(1) != expected.argmax(1)).sum().item<std::int64_t>();
    }

    std::string name;
    std::string sha256;
    torch::jit::Module module;

  private:
    c10::IValue forward(const torch::Tensor& images)
    {
        std::string problem;
        try
        {
            return module.forward({images});
        }
        catch (const c10::Error& error)
        {
            problem = error.what_without_backtrace();
        }
        catch (const std::exception& error)
        {
            problem = error.what();
        }
        // A traceback comes first.
        problem.erase(problem.find_last_not_of(" \n") + 1);
        throw DataError("'{}': its forward fails: {}", name, problem.substr(problem.rfind('\n') + 1));
    }
};

TorchScript::TorchScript(const std::filesystem::path& file)
    : implementation_(std::make_unique<Implementation>(file))
{}

TorchScript::~TorchScript() = default;

const std::string& TorchScript::sha256() const
{
    return implementation_->sha256;
}

ImportedNetwork TorchScript::to_network(const Shape& input_shape, const Normalisation& normalisation) const
{
    const c10::InferenceMode no_gradients;
    const torch::jit::Module& module = implementation_->module;
    const std::string where = fmt::format("'{}'", implementation_->name);
    try
    {
        torchscript::GraphBuilder builder(input_shape, parameter_prefixes(module));
        torchscript::Interpreter interpreter(builder);
        ImportedNetwork imported = builder.finish(interpreter.run(module));
        const Graph& graph = imported.network.graph;
        const Shape& logits = graph.node(graph.output()).shape;
        FS_CHECK(
            DataError, logits.size() == 1,
            "{}: the output has shape {} for an image; flipstorm evaluates classifiers, which return one "
            "logit per class",
            where, logits);
        imported.network.num_classes = static_cast<std::int32_t>(logits[0]);
        imported.network.normalisation = normalisation;
        check_network(imported.network, where);
        return imported;
    }
    catch (const c10::Error& error)
    {
        throw DataError("{}: TorchScript that flipstorm does not understand: {}", where,
                        torchscript::first_line(error.what_without_backtrace()));
    }
    catch (const DataError& error)
    {
        const std::string message = error.what();
        throw DataError("{}",
                        message.compare(0, where.size(), where) == 0 ? message : where + ": " + message);
    }
}

LogitAgreement TorchScript::compare_on_noise(const Network& network, std::int64_t count,
                                             std::uint64_t seed) const
{
    const c10::InferenceMode no_gradients;
    const Executor executor(network, torch::kCPU);
    Shape shape = network.graph.input_shape();
    shape.insert(shape.begin(), count);
    LogitAgreement agreement;
    implementation_->add(agreement, executor, torch::randn(shape, at::detail::createCPUGenerator(seed)),
                         network.num_classes);
    return agreement;
}

LogitAgreement TorchScript::compare(const Network& network, const ImageSet& images) const
{
    constexpr std::int64_t kBatch = 250;
    const c10::InferenceMode no_gradients;
    const Executor executor(network, torch::kCPU);
    LogitAgreement agreement;
    for (std::int64_t first = 0; first < images.size(); first += kBatch)
    {
        std::vector<std::int64_t> indices;
        for (std::int64_t i = first; i < std::min(first + kBatch, images.size()); ++i)
            indices.push_back(i);
        implementation_->add(agreement, executor,
                             image_batch(images, indices, network.normalisation, torch::kCPU),
                             network.num_classes);
    }
    return agreement;
}

}  // namespace flipstorm
