#pragma once
// The scripts of this room inside the program, so that an installed flipstorm needs no source tree to run
// them.

namespace flipstorm
{

/// The text of analysis/figures.py, as it was when the program was built.
[[nodiscard]] const char* figures_script();

/// The same of analysis/forest_onnx.py.
[[nodiscard]] const char* forest_onnx_script();

}  // namespace flipstorm
