#pragma once
// OUT/train.checkpoint: a training that is not done yet, so that a kill or a time limit costs minutes.
//
// Framed (see engine/base/framed_bytes.hpp) with magic 89 46 53 54 0d 0a 1a 0a ("\x89FST\r\n\x1a\n"); the
// payload is a Boost.Serialization binary archive of stage digest and TrainingState. Version 1 has no ranges:
// it is of trainings that learn none.
//
// Written durably by rank 0: the file is whole or as it was before. All that is random in a training is a
// function of seed and step, so the state holds no generator.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/error.hpp"
#include "engine/network/network.hpp"
#include "engine/train/options.hpp"

namespace flipstorm
{

/// Name of the file in the out folder.
inline constexpr const char* kTrainCheckpoint = "train.checkpoint";

/// A checkpoint and the training it belongs to.
struct TrainCheckpoint
{
    std::string stage_sha256;
    TrainingState state;
};

/// The bytes of the file.
[[nodiscard]] std::string encode_checkpoint(const TrainCheckpoint& checkpoint);

/// Back from the bytes. \throws FrameError, saying what is wrong: torn, damaged, another version.
[[nodiscard]] TrainCheckpoint decode_checkpoint(std::string_view file);

/**
 * Why a state cannot be one of this training; empty if it can. A file that is whole may still not be ours.
 *
 * \param network  as it is before the training
 * \param format   that it is trained for
 */
[[nodiscard]] std::string misfit(const TrainingState& state, const Network& network,
                                 std::int64_t steps_per_epoch, std::int64_t epochs,
                                 const FormatChoice& format = {});

/**
 * Read the checkpoint of a training.
 *
 * \return nothing if there is none, or, with a warning that names the file, if it is damaged
 * \throws JobError if it belongs to another training
 */
[[nodiscard]] std::optional<TrainingState> read_checkpoint(const std::filesystem::path& file,
                                                           const std::string& stage_sha256);

}  // namespace flipstorm
