#pragma once
// protection.h5: what each way of protecting the parameters costs and leaves, and the plan that was chosen.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/memory/codes/layer_code.hpp"
#include "hdf5_schema/provenance.hpp"

namespace flipstorm
{

/// One way to protect the whole network. Overheads are percent of the unprotected weight memory.
struct ProtectionOption
{
    std::string scheme;        ///< a ProtectionScheme, e.g. "sec_all"
    double threshold = 0;      ///< a bit is critical if its predicted probability reaches this; NaN: not used
    double flagged_share = 0;  ///< share of the parameters under the code, 0 … 1
    std::uint64_t parity_bits = 0;
    std::uint64_t signature_bits = 0;
    double parity_overhead = 0;     ///< percent
    double signature_overhead = 0;  ///< percent
    double total_overhead = 0;      ///< percent
    double predicted_residual = 0;  ///< expected share of single upsets that stay critical (mean probability
                                    ///< of the unprotected bits × their share), 0 … 1
    double measured_residual = 0;   ///< critical share of all faults, strata reweighted by population, × the
                                    ///< part of the held-out critical faults that is not corrected, 0 … 1
    bool pareto = false;            ///< no other option has less of both overhead and predicted residual
    double measured_low = 0;        ///< 95 % interval of measured_residual
    double measured_high = 0;
    double predicted_high = 0;  ///< predicted_residual by the upper limits of the calibrated probabilities;
                                ///< NaN in files before version 1.2
};

/// Flags of the parameters of one layer.
struct LayerSignature
{
    std::string layer;
    std::vector<std::uint8_t> flagged;  ///< [weights], 1: the parameter is under the code
};

/// How the words of a layer are kept under the scheme "optimized".
struct LayerProtection
{
    std::string layer;
    std::uint64_t weights = 0;
    std::int32_t word_bits = 0;
    LayerCode code;
    std::uint64_t extra_bits = 0;
    double critical_before = 0;  ///< bits of the layer whose upset is expected to be critical
    double critical_after = 0;   ///< the same, kept so
    double change = 0;  ///< of the weights where no upset is: root mean square, over that of the weights
    double xors = 0;    ///< of the decoder, for each word
};

/// A plan that no other beats in both.
struct FrontPoint
{
    std::uint64_t extra_bits = 0;
    double overhead = 0;            ///< percent of the unprotected weight memory
    double predicted_residual = 0;  ///< as of an option
};

/// What an encoding of the signature of "sec_critical" at 0.5 costs, with the parity bits of what it flags.
struct SignatureSize
{
    std::string encoding;
    std::uint64_t bits = 0;
    std::uint64_t check_bits = 0;  ///< of its own
    std::uint64_t parity_bits = 0;
    double flagged_share = 0;   ///< of the parameters, that the encoding flags
    double total_overhead = 0;  ///< of all three, percent of the unprotected weight memory
};

/// One row of the paper's Table III, in percent of the unprotected weight memory.
struct OverheadRow
{
    double all_parameters = 0;       ///< AP: SEC on every parameter
    double critical_parameters = 0;  ///< CP: SEC on the flagged parameters
    double signature = 0;            ///< Sign.
    double gain = 0;                 ///< 100 × (1 − (CP + Sign) / AP)
};

/// Content of protection.h5.
struct ProtectionRecord
{
    Provenance provenance;
    std::string forest_sha256;  ///< stage digest of the forest
    double tolerance = 0;
    double ber = 0;              ///< upset probability per bit
    double fit_per_mbit = 0;     ///< upsets of 10^6 bits in 10^9 hours; 0: not known
    double multi_bit_share = 0;  ///< of the upsets, those that hit the next bit, too
    double scrub_hours = 0;      ///< between two writings of the memory; 0: not known
    std::int32_t word_bits = 0;  ///< of the widest layer
    std::vector<ProtectionOption> options;
    std::int32_t chosen = -1;                      ///< index in `options`
    OverheadRow overhead;                          ///< of the paper's scheme at threshold 0.5
    std::vector<LayerSignature> signature;         ///< of the chosen option
    std::vector<LayerProtection> plan{};           ///< of "optimized", by layer; empty: not among the options
    std::vector<FrontPoint> front{};               ///< by rising overhead
    std::vector<SignatureSize> signature_sizes{};  ///< empty before version 1.2
};

/// Write protection.h5 under a temporary name and rename it. One process. \throws FileError.
void write_protection(const std::filesystem::path& file, const ProtectionRecord& protection);

/// Read protection.h5 whole. \throws FileError as read_campaign.
ProtectionRecord read_protection(const std::filesystem::path& file);

}  // namespace flipstorm
