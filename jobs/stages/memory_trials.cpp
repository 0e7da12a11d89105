#include "jobs/stages/memory_trials.hpp"

#include <boost/serialization/vector.hpp>

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <optional>

#include "engine/base/durable_file.hpp"
#include "engine/base/log.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/stop_request.hpp"
#include "engine/base/timing.hpp"
#include "engine/compute/device.hpp"
#include "engine/evaluate/evaluator.hpp"
#include "engine/evaluate/judge.hpp"
#include "engine/evaluate/whole_network.hpp"
#include "engine/faults/memory_upsets.hpp"
#include "hdf5_schema/memory_file.hpp"
#include "jobs/campaign/archive_bytes.hpp"
#include "jobs/campaign/campaign.hpp"
#include "jobs/campaign/kinds/protected_memory.hpp"
#include "jobs/campaign/outcome_codec.hpp"
#include "jobs/resolve/inputs.hpp"
#include "jobs/resolve/plan_options.hpp"
#include "mpi/chunk_queue.hpp"
#include "mpi/journal.hpp"
#include "mpi/out_lock.hpp"

namespace flipstorm
{
namespace
{

/// One memory at one rate. Numbered by rate, then unprotected before protected, then by trial.
struct TrialNumber
{
    std::size_t rate = 0;
    std::size_t is_protected = 0;
    std::uint64_t trial = 0;
};

/// What became of it.
struct TrialResult
{
    std::uint64_t upsets = 0;
    std::uint64_t corrected = 0;
    std::uint64_t detected = 0;
    std::uint64_t changed = 0;
    std::uint64_t correct = 0;
    std::uint64_t nonfinite = 0;

    [[nodiscard]] std::string bytes() const
    {
        return to_bytes(std::vector<std::uint64_t>{upsets, corrected, detected, changed, correct, nonfinite});
    }
    /// \throws FileError if they are none
    static TrialResult from(const std::string& bytes)
    {
        const auto v = from_bytes<std::vector<std::uint64_t>>(bytes);
        FS_CHECK(FileError, v.size() == 6, "a trial of {} numbers; 6 would be right", v.size());
        return {v[0], v[1], v[2], v[3], v[4], v[5]};
    }
};

/// A memory, the network it holds, and how that does without an upset.
struct Side
{
    ProtectedMemory memory;
    Network network;
    Golden golden;
};

/// The words of a network alone, as if they were protected by nothing.
ProtectedRecord unprotected(const Network& network, const std::vector<InjectableLayer>& tensors,
                            const ProtectedRecord& record)
{
    ProtectedRecord plain;
    for (const LayerProtection& layer : record.plan)
    {
        for (const InjectableLayer& tensor : tensors)
        {
            if (tensor.name != layer.layer) continue;
            LayerProtection as_it_is{layer.layer, layer.weights, layer.word_bits, {}};
            plain.layers.push_back(protect(as_it_is, words_of(struck_tensor(network, tensor))));
            plain.plan.push_back(std::move(as_it_is));
        }
    }
    return plain;
}

/// All that the trials of a job need.
class Trials
{
  public:
    explicit Trials(const Context& context) : options_(evaluation_options(context, EvaluationMode::exact))
    {
        const Job& job = context.job;
        const std::vector<TensorKind> kinds = struck_parameters(job);
        const Network network = load_network_of(job, context.model_file());
        const ProtectedRecord record = read_protected_of(job.campaign.protected_memory, network);
        images_ = load_test_images(job);
        if (job.verify.images > 0 && job.verify.images < images_.size())
            images_ = images_.head(job.verify.images);
        model_sha256_ = digest(network);
        dataset_sha256_ = digest(images_);
        tensors_ = injectable_layers(network, kinds);
        ber_ = job.campaign.ber;
        trials_ = static_cast<std::uint64_t>(job.campaign.trials);
        seed_ = job.job.seed;
        adjacent_share_ = job.environment.multi_bit_share;
        const std::string& file = job.campaign.protected_memory;
        sides_[0] = make_side(network, {network, kinds, unprotected(network, tensors_, record), file});
        sides_[1] = make_side(network, {network, kinds, record, file});
        trial_sha256_ = sha256_hex(
            fmt::format("flipstorm memory trial 1\nadjacent {}\nseed {}\n{} {}\n{}\n{}\n{}\n{}\n",
                        adjacent_share_, seed_, job.campaign.backend, options_.device.cuda ? "cuda" : "cpu",
                        evaluation_layout(), model_sha256_, dataset_sha256_, record.memory_sha256));
        stage_sha256_ =
            sha256_hex(fmt::format("{} {}\n{} trials\n", trial_sha256_, fmt::join(ber_, " "), trials_));
    }

    /// Of all that memory.h5 depends on, and that a trial does.
    [[nodiscard]] const std::string& stage_sha256() const { return stage_sha256_; }
    [[nodiscard]] const std::string& trial_sha256() const { return trial_sha256_; }
    [[nodiscard]] std::size_t size() const { return ber_.size() * 2 * trials_; }

    [[nodiscard]] TrialNumber number(std::size_t place) const
    {
        return {place / trials_ / 2, place / trials_ % 2, place % trials_};
    }

    /// What tells a trial from all others, also of other rates and numbers: those of a rate stay what they
    /// are when others are added.
    [[nodiscard]] std::uint64_t key(std::size_t place) const
    {
        const TrialNumber trial = number(place);
        std::uint64_t rate = 0;
        std::memcpy(&rate, &ber_[trial.rate], sizeof rate);
        return RandomStream(rate, RandomPurpose::memory, trial.trial * 2 + trial.is_protected).bits64();
    }

    /// A pure function of seed, rate, side and number. \param between  called now and then
    [[nodiscard]] TrialResult compute(std::size_t place, const std::function<void()>& between) const
    {
        const TrialNumber trial = number(place);
        const Side& side = *sides_[trial.is_protected];
        const RandomStream random(seed_, RandomPurpose::memory, key(place));
        const std::vector<std::uint64_t> upset =
            upset_bits(side.memory.bits(), ber_[trial.rate], adjacent_share_, random);
        const MemoryReading reading = side.memory.read(upset);
        TrialResult result{upset.size(),           reading.corrected,   reading.detected,
                           reading.changed.size(), side.golden.correct, 0};
        if (reading.changed.empty()) return result;
        const Tally tally = evaluate_whole(with_words(side.network, tensors_, reading.changed), images_,
                                           options_, side.golden, between);
        result.correct = tally.correct;
        result.nonfinite = tally.nonfinite;
        return result;
    }

    /// \param done  by key
    [[nodiscard]] MemoryRecord record(const Context& context,
                                      const std::map<std::uint64_t, TrialResult>& done) const
    {
        MemoryRecord memory;
        memory.provenance = make_provenance(context, stage_sha256_, model_sha256_, dataset_sha256_);
        memory.images = static_cast<std::uint64_t>(images_.size());
        for (std::size_t s = 0; s < 2; ++s)
        {
            memory.golden_correct[s] = sides_[s]->golden.correct;
            memory.bits[s] = sides_[s]->memory.bits();
        }
        memory.adjacent_share = adjacent_share_;
        memory.ber = ber_;
        memory.memory_sha256 = sides_[1]->memory.sha256();
        MemoryTrials& table = memory.trials;
        for (std::size_t place = 0; place < size(); ++place)
        {
            const TrialNumber trial = number(place);
            const TrialResult& result = done.at(key(place));
            table.rate.push_back(static_cast<std::int32_t>(trial.rate));
            table.protected_memory.push_back(static_cast<std::uint8_t>(trial.is_protected));
            table.upsets.push_back(result.upsets);
            table.corrected.push_back(result.corrected);
            table.detected.push_back(result.detected);
            table.changed.push_back(result.changed);
            table.correct.push_back(static_cast<std::uint32_t>(result.correct));
            table.nonfinite.push_back(static_cast<std::uint32_t>(result.nonfinite));
        }
        return memory;
    }

  private:
    [[nodiscard]] std::unique_ptr<const Side> make_side(Network network, ProtectedMemory memory) const
    {
        memory.put_into(network);
        const Golden golden = golden_of(golden_share(network, images_, options_, 0, 1), images_.labels);
        return std::make_unique<const Side>(Side{std::move(memory), std::move(network), golden});
    }

    EvaluationOptions options_;
    ImageSet images_;
    std::string model_sha256_;
    std::string dataset_sha256_;
    std::string stage_sha256_;
    std::string trial_sha256_;
    std::vector<InjectableLayer> tensors_;
    std::vector<double> ber_;
    std::uint64_t trials_ = 0;
    std::uint64_t seed_ = 0;
    double adjacent_share_ = 0;
    std::array<std::unique_ptr<const Side>, 2> sides_;  ///< unprotected, protected
};

using Results = std::map<std::uint64_t, TrialResult>;  ///< by key

/// Put entries of all ranks into the results. \collective
void share(const Context& context, const std::vector<JournalEntry>& mine, Results& done)
{
    for (const std::string& bytes : context.world.all_gather(encode_entries(mine)))
    {
        for (const JournalEntry& entry : decode_entries(bytes))
            done.emplace(entry.chunk.value(), TrialResult::from(entry.bytes));
    }
}

/// What earlier runs have done, on every rank. \collective
Results take_up(const Context& context, const Trials& trials)
{
    const std::filesystem::path folder = context.file(kMemoryJournal);
    on_root(context, [&] {
        bool foreign = context.fresh;
        for (const JournalSegment& segment : survey_journal(folder).segments)
            foreign = foreign || segment.stage_digest != trials.trial_sha256();
        if (foreign)
            remove_journal(folder);  // of other images, or another seed
        else
            remove_unfinished_segments(folder);
        return StageEnd::complete;
    });
    std::vector<JournalEntry> mine;
    on_all(context.world, [&] {
        mine = read_journal(folder, trials.trial_sha256(), context.world.rank(), context.world.size(),
                            [](const JournalEntry& entry) -> std::string {
                                try
                                {
                                    static_cast<void>(TrialResult::from(entry.bytes));
                                }
                                catch (const FileError& error)
                                {
                                    return error.what();
                                }
                                return {};
                            })
                   .entries;
    });
    Results done;
    share(context, mine, done);
    return done;
}

/// Compute what is missing. \return trials that are left when a rank was asked to stop. \collective
std::size_t compute_missing(const Context& context, const Trials& trials, Results& done)
{
    std::vector<std::size_t> missing;
    for (std::size_t place = trials.size(); place-- > 0;)  // high rates, which take longest, first
    {
        if (done.count(trials.key(place)) == 0) missing.push_back(place);
    }
    log_info("upsetting {} whole memories, {} of them done before", trials.size(),
             trials.size() - missing.size());
    const Communicator& world = context.world;
    std::vector<JournalEntry> mine;
    JournalWriter journal(context.file(kMemoryJournal), trials.trial_sha256(), new_start_id(world),
                          world.rank(), {context.job.campaign.journal_seconds}, steady_seconds);
    std::exception_ptr failure;
    {
        ChunkQueue queue(world, std::vector<QueueItem>(missing.size()));
        const Stopwatch watch;
        double said = 0;
        const auto between = [&] {
            queue.progress();
            if (context.stop != nullptr && context.stop->asked()) throw Stopped();
        };
        try
        {
            while (const std::optional<std::size_t> next = queue.next())
            {
                between();
                const std::size_t place = missing[*next];
                const JournalEntry entry{ChunkId(trials.key(place)), trials.compute(place, between).bytes()};
                journal.append(entry);
                mine.push_back(entry);
                if (!world.is_root() || watch.seconds() - said < 30) continue;
                said = watch.seconds();
                log_info("memories: {} of {} begun, {:.0f} s", queue.state().items(), missing.size(), said);
            }
            journal.flush();
        }
        catch (const Stopped&)
        {
            queue.stop();
            journal.flush();
        }
        catch (...)
        {
            failure = std::current_exception();
            queue.stop();
        }
    }
    on_all(world, [&failure] {
        if (failure) std::rethrow_exception(failure);
    });
    share(context, mine, done);
    std::size_t left = 0;
    for (std::size_t place = 0; place < trials.size(); ++place)
        left += done.count(trials.key(place)) == 0 ? 1 : 0;
    return left;
}

}  // namespace

StageEnd run_memory_trials(const Context& context)
{
    const std::filesystem::path file = context.file("memory.h5");
    set_compute_threads(context.threads);
    std::unique_ptr<const Trials> trials;
    on_all(context.world, [&] { trials = std::make_unique<const Trials>(context); });
    bool current = false;
    on_root(context, [&] {
        make_folder(context.out());
        current = output_is_current(context, file, trials->stage_sha256(), false);
        return StageEnd::complete;
    });
    if (context.world.broadcast(current ? 1U : 0U) != 0) return StageEnd::complete;
    Results done = take_up(context, *trials);
    const std::size_t left = compute_missing(context, *trials, done);
    if (left > 0)
    {
        if (context.world.is_root())
            log_warning("stopped: {} of {} memories are left; run the same command{} to go on", left,
                        trials->size(), context.fresh ? " without --fresh" : "");
        return StageEnd::stopped;
    }
    return on_root(context, [&] {
        if (context.lock != nullptr) context.lock->require_held();
        write_memory(file, trials->record(context, done));
        log_info("{}: {} memories", file.string(), trials->size());
        return StageEnd::complete;
    });
}

}  // namespace flipstorm
