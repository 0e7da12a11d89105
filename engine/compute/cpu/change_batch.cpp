#include "engine/compute/cpu/change_batch.hpp"

#include <cstring>

#include "engine/compute/cpu/operations.hpp"

namespace flipstorm
{

void ChangeSpace::fit(const NativeProgram& program)
{
    buffers.resize(program.buffer_floats.size());
    for (std::size_t b = 0; b < buffers.size(); ++b)
        buffers[b].resize(static_cast<std::size_t>(program.batch * program.buffer_floats[b] + kLanes));
    frames.resize(static_cast<std::size_t>(program.batch * program.frame_floats + kLanes));
}

float* ChangeBatch::add(std::int64_t channel)
{
    channels_.push_back(channel);
    return at(program_.first_buffer, channels_.size() - 1);
}

void ChangeBatch::compute(const NativeStep& step)
{
    std::visit([&](const auto& op) { change_on_cpu(op, *this, step); },
               network_.graph.node(step.node).operation);
}

void ChangeBatch::keep(std::int32_t buffer, std::int64_t floats, const std::vector<char>& stays)
{
    std::size_t to = 0;
    for (std::size_t s = 0; s < channels_.size(); ++s)
    {
        if (stays[s] == 0) continue;
        if (to != s)
        {
            std::memcpy(at(buffer, to), at(buffer, s), static_cast<std::size_t>(floats) * sizeof(float));
            channels_[to] = channels_[s];
        }
        ++to;
    }
    channels_.resize(to);
}

}  // namespace flipstorm
