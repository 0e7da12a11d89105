#pragma once
// The frame of a report: one self-contained HTML page.

#include <string>
#include <utility>
#include <vector>

#include "hdf5_schema/provenance.hpp"

namespace flipstorm
{

/// Everything up to the heading and the paragraph that leads in; texts are escaped.
[[nodiscard]] std::string page_begin(const std::string& title, const std::string& lead);

/// A list that stands out, of what a reader must know before trusting the numbers; texts are escaped. Empty
/// without notes.
[[nodiscard]] std::string page_notes(const std::vector<std::string>& notes);

/// A key figure, for a `<div class="cards">`; texts are escaped.
[[nodiscard]] std::string card(const std::string& value, const std::string& name, const std::string& detail);

/// The section on where a campaign comes from, with `more` (name, value) behind what its file says; texts are
/// escaped.
[[nodiscard]] std::string page_provenance(const Provenance& campaign,
                                          const std::vector<std::pair<std::string, std::string>>& more = {});

/// The end of the page.
[[nodiscard]] std::string page_end();

}  // namespace flipstorm
