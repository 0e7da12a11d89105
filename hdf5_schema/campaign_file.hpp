#pragma once
// campaign.h5: every injected fault and what it did to the test set.

#include <mpi.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hdf5_schema/provenance.hpp"

namespace flipstorm
{

/// Injectable layers in graph order; index = layer id. Columns of equal length.
struct LayerTable
{
    std::vector<std::string> name;
    std::vector<std::uint64_t> weights;  ///< elements of the weight tensor
    std::vector<std::int32_t> out_channels;
    std::vector<std::int32_t> in_channels;  ///< second dimension of the weight tensor
    std::vector<std::int32_t> word_bits;    ///< bits of a stored word
    std::vector<std::uint8_t> injected{};   ///< 1: faults may strike it; all, in files before version 1.2
    std::vector<std::string> tensor{};      ///< of the model that holds the words; empty before version 1.4

    [[nodiscard]] std::size_t size() const { return name.size(); }
};

/// Strata; index = stratum id. Columns of equal length.
struct StrataTable
{
    std::vector<std::int32_t> layer;  ///< layer id; −1: all layers
    std::vector<std::int32_t> bit;  ///< bit position, of a fault of several bits the highest; −1: all bits
    std::vector<std::uint64_t> population;
    std::vector<std::uint64_t> planned;
    std::vector<std::uint64_t> evaluated;
    std::vector<std::int32_t>
        direction{};  ///< what the bit holds, 0 or 1; −1: either; empty before version 1.5
    std::vector<std::uint8_t>
        known{};  ///< 1: all its faults were injected, for being drawn before a last round

    [[nodiscard]] std::size_t size() const { return layer.size(); }
};

/// What the fault-free network does with each test image, in data-set order. Columns of equal length.
struct GoldenTable
{
    std::vector<std::int32_t> label;
    std::vector<std::int32_t> top1;
    std::vector<float> margin;  ///< top logit minus the second largest
};

/// Injected faults in campaign order. Columns of equal length.
struct FaultTable
{
    std::vector<std::int32_t> stratum;
    std::vector<std::int32_t> layer;
    std::vector<std::uint64_t> parameter;  ///< flat row-major index in the layer's weight tensor
    std::vector<std::int32_t>
        out_channel;  ///< output channel of a convolution, output neuron of a linear layer
    std::vector<std::int32_t> in_channel;  ///< input channel (within the group) or input neuron
    std::vector<std::uint8_t> bit;         ///< highest bit that is hit; 0 = least significant
    std::vector<std::uint8_t> sign;        ///< of the golden value: 0 positive, 1 negative
    std::vector<float> value_before;
    std::vector<float> value_after;
    std::vector<std::uint32_t> mask{};   ///< the bits that are hit
    std::vector<std::uint8_t> effect{};  ///< 0: they flip, 1: they are stuck at 0, 2: at 1
    std::vector<double> weight{};  ///< faults of the network that it stands for; of guided campaigns alone
    std::vector<std::uint8_t> region{};  ///< 0: words, 1: check bits beside them; of a protected memory alone

    [[nodiscard]] std::size_t size() const { return stratum.size(); }
    void resize(std::size_t faults);
};

/// Outcomes of the faults, row for row. Columns of equal length.
struct OutcomeTable
{
    std::vector<std::uint32_t> evaluated;   ///< images whose top-1 under the fault is known
    std::vector<std::uint32_t> correct;     ///< of those, top-1 equals the label
    std::vector<std::uint32_t> mismatches;  ///< of those, top-1 differs from golden, or a logit is not finite
    std::vector<std::uint32_t> nonfinite;   ///< of those, a logit is NaN or infinite
    std::vector<std::uint8_t> stopped;  ///< 1: the drop exceeds every tolerance; the rest was not evaluated
    std::vector<double> drop;  ///< accuracy lost, −1 … 1; its proven lower bound where stopped = 1
    std::vector<std::uint32_t> changed{};   ///< of a protected memory: words that read otherwise
    std::vector<std::uint8_t> detected{};   ///< the same: 1 an error was found that cannot be corrected (DUE)
    std::vector<std::uint8_t> corrected{};  ///< the same: 1 an error was found and corrected

    [[nodiscard]] std::size_t size() const { return evaluated.size(); }
    void resize(std::size_t faults);
};

/// The screens that were tried on the layers, in the order of layers and then of trials. Columns of equal
/// length.
struct ScreenTable
{
    std::vector<std::int32_t> layer;
    std::vector<std::uint8_t> level;  ///< 0: as the job asks, 1: audited more, 2: tightened, 3: exact
    std::vector<double> kappa;        ///< 0 at level 3
    std::vector<double> tau;          ///< 0 at level 3
    std::vector<double> audit_share;  ///< of the screened pairs; 0 at level 3
    std::vector<std::uint64_t> pairs;
    std::vector<std::uint64_t> screened;
    std::vector<std::uint64_t> audited;
    std::vector<std::uint64_t> disagreements;
    std::vector<double> bound95;     ///< of the share of wrong screened pairs; 0 where none was screened
    std::vector<std::uint8_t> kept;  ///< 1: the layer's outcomes in the file are those of this trial

    [[nodiscard]] std::size_t size() const { return layer.size(); }
};

/// How many (fault, image) pairs were judged by the screen, and what its audit found.
struct ScreenRecord
{
    double kappa = 0;  ///< as the job asks; 0 without a screen
    double tau = 0;
    double screen_bound = 0;     ///< largest bound95 with which a layer's screen is kept; 0 without a screen
    std::uint64_t pairs = 0;     ///< faults × images
    std::uint64_t screened = 0;  ///< taken as unchanged, audited ones included; of the trials that were kept
    std::uint64_t audited = 0;   ///< screened pairs evaluated all the same
    std::uint64_t disagreements = 0;
    double bound95 = 0;    ///< largest of the trials that were kept
    ScreenTable trials{};  ///< empty in files of version 1.0
};

/// Sites of faults that were listed, in the order of their rows. Columns of equal length.
struct SiteTable
{
    std::vector<std::uint64_t> row;    ///< of /faults
    std::vector<std::uint64_t> fault;  ///< number in the list
    std::vector<std::int32_t> layer;
    std::vector<std::uint64_t> parameter;
    std::vector<std::uint32_t> mask;

    [[nodiscard]] std::size_t size() const { return row.size(); }
};

/// Everything in campaign.h5 that does not grow with the faults, and the list of those that were listed.
struct CampaignHeader
{
    Provenance provenance;
    std::string target;      ///< "weights", "protected"
    std::string evaluation;  ///< "reference", "exact", "screened"
    std::vector<double> tolerances;
    std::uint64_t images = 0;
    std::uint64_t golden_correct = 0;
    double faults_per_second = 0;
    double wall_seconds = 0;
    LayerTable layers;
    StrataTable strata;
    GoldenTable golden;
    ScreenRecord screen;
    std::string fault_model = "bit_flip";  ///< a name of fault_model_from
    std::int32_t upset_bits = 1;           ///< bits that a fault hits
    SiteTable sites{};                     ///< of campaign.fault_list; empty: faults were drawn
    std::string memory_sha256{};           ///< of target "protected": what is in the memory
};

/// Content of campaign.h5.
struct CampaignRecord
{
    CampaignHeader header;
    FaultTable faults;
    OutcomeTable outcomes;
};

/**
 * Write campaign.h5 under a temporary name, collectively, and rename it.
 *
 * Rank r passes the rows [first_row, first_row + faults.size()) of `/faults` and `/outcomes`; the rows of all
 * ranks together cover [0, total_rows) without overlap. A rank may have none. `header` is taken from rank 0.
 *
 * \param communicator  MPI_COMM_NULL: one process, no MPI needed
 * \throws FileError. \collective
 */
void write_campaign(const std::filesystem::path& file, const CampaignHeader& header, const FaultTable& faults,
                    const OutcomeTable& outcomes, std::uint64_t first_row, std::uint64_t total_rows,
                    MPI_Comm communicator);

/**
 * Read campaign.h5 whole, on one process.
 *
 * \param target  that it must have, of those judged by tolerance
 * \throws FileError if the file cannot be read, is no flipstorm campaign, is of another major version, lacks
 * something, or its columns do not fit each other; the message names the file and the object.
 */
CampaignRecord read_campaign(const std::filesystem::path& file, const std::string& target = "weights");

}  // namespace flipstorm
