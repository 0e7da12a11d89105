#pragma once
// Results of a protection as tables.

#include "analysis/result_table.hpp"
#include "hdf5_schema/protection_file.hpp"

namespace flipstorm
{

/// Table III: memory overhead of the paper's scheme.
ResultTable overhead_table(const ProtectionRecord& protection);

/// The ways of protection side by side, each threshold of "sec_critical" but 0.5 and the chosen one left out.
ResultTable schemes_table(const ProtectionRecord& protection);

/// All protection options; the chosen one is marked.
ResultTable options_table(const ProtectionRecord& protection);

/// How the signature of "sec_critical" may be kept; no rows in files before version 1.2.
ResultTable signature_table(const ProtectionRecord& protection);

/// How "optimized" keeps each layer; no rows where it is not among the options.
ResultTable plan_table(const ProtectionRecord& protection);

}  // namespace flipstorm
