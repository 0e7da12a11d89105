#pragma once
// figures.py inside the program, so that an installed flipstorm needs no source tree to draw.

namespace flipstorm
{

/// The text of analysis/figures.py, as it was when the program was built.
[[nodiscard]] const char* figures_script();

}  // namespace flipstorm
