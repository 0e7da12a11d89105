# Sources of this room, for its target and for the programs of tests/fuzz, which build them with other flags.
set(flipstorm_memory_sources
  bit_class.cpp
  bit_value_index.cpp
  codes/code.cpp
  codes/hamming.cpp
  codes/protection_scheme.cpp
  faulty_value.cpp
  formats/bf16.cpp
  formats/fp16.cpp
  formats/fp32.cpp
  formats/fp8.cpp
  formats/whole_number.cpp
  number_format.cpp
  stored_tensor.cpp
  tensor_kind.cpp
  word_fault.cpp)
