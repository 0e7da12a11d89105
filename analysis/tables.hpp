#pragma once
// The results as tables, for the terminal and for the report. Tables I to III are those of DATE 2023.

#include <string>
#include <vector>

#include "hdf5_schema/campaign_file.hpp"
#include "hdf5_schema/forest_file.hpp"

namespace flipstorm
{

/// Finished cells under column heads; the first `text_columns` columns are text, the others numbers.
struct ResultTable
{
    std::string title;
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;  ///< each as long as `columns`
    std::string note;                            ///< how to read it; may be empty
    std::size_t text_columns = 1;
    std::ptrdiff_t marked = -1;  ///< row that stands out; −1: none
};

/// Table I: critical share of the network per tolerance, strata reweighted by population, with 95 % interval.
ResultTable critical_share_table(const CampaignRecord& campaign);

/// The same per layer, for one tolerance.
ResultTable layer_share_table(const CampaignRecord& campaign, double tolerance);

/// The same per bit position, the highest first, for one tolerance. Bits that are the highest of no fault are
/// left out.
ResultTable bit_share_table(const CampaignRecord& campaign, double tolerance);

/// Critical share and interval of each layer, in columns per tolerance.
ResultTable layers_by_tolerance_table(const CampaignRecord& campaign);

/// Critical share and interval of each bit position, in columns per tolerance.
ResultTable bits_by_tolerance_table(const CampaignRecord& campaign);

/// Critical share of each bit position (rows) of each layer (columns), for one tolerance.
ResultTable layer_bit_table(const CampaignRecord& campaign, double tolerance);

/// Verdict on a trial of a screen: "kept", "audit too small" (the same screen was audited more) or "given
/// up".
std::string screen_verdict(const ScreenTable& trials, std::size_t row);

/// The screens that were tried on the layers, and what their audits found.
ResultTable screen_table(const CampaignRecord& campaign);

/// Table II: scores of the forest per tolerance.
ResultTable forest_table(const ForestRecord& forest);

/// All scores of all models of the map's tolerance, with intervals; no rows where none was trained.
ResultTable models_table(const ForestRecord& forest);

/// How the map agrees with faults of another campaign; no rows where it was not asked.
ResultTable validation_table(const ForestRecord& forest);

/// What each feature is worth to the forest of the map; no rows where there is none.
ResultTable importance_table(const ForestRecord& forest);

/// Aligned plain text, then the note, with a line feed at the end; the marked row carries an asterisk.
std::string render_text(const ResultTable& table);

/// An HTML fragment: a figure element with caption, table and note. Cells are escaped.
std::string render_html(const ResultTable& table);

/// Text with &, <, > and quotes as HTML entities.
std::string escape_html(const std::string& text);

/// A share 0 … 1 in percent with `decimals` digits, without the sign; "-" for NaN.
std::string format_percent(double share, int decimals = 2);

/// The same with so many significant digits, however small: "0.0123", "1.2e-07".
std::string format_share(double share, int digits = 3);

/// A number with so many decimals; "-" for NaN.
std::string format_number(double value, int decimals);

/// A whole number with thousands separated by commas.
std::string format_count(std::uint64_t count);

/// A name of a job file or an HDF5 file in a sentence: underscores become blanks.
std::string in_words(std::string name);

}  // namespace flipstorm
