# Finds LibTorch: Debian's, or one from elsewhere by CMAKE_PREFIX_PATH, with or without CUDA.
#
# Sets the C++ standard to what LibTorch asks for, unless -DCMAKE_CXX_STANDARD says otherwise.

find_package(Torch REQUIRED)

# TorchConfig.cmake looks for libtorch.so in the system's folders, too: headers of one version and the library of
# another one build, and crash.
get_filename_component(torch_prefix "${Torch_DIR}/../../.." REALPATH)
get_filename_component(torch_library "${TORCH_LIBRARY}" REALPATH)
string(FIND "${torch_library}" "${torch_prefix}/" torch_inside)
if(NOT torch_inside EQUAL 0)
  message(FATAL_ERROR
    "LibTorch's headers are in ${torch_prefix}, but the library found is ${torch_library}, of another LibTorch. "
    "Start anew in an empty build folder with -DCMAKE_PREFIX_PATH=${torch_prefix} (the folder above share/cmake, not "
    "share/cmake itself)")
endif()

# all.h refuses an older standard than it needs.
if(NOT CMAKE_CXX_STANDARD)
  set(CMAKE_CXX_STANDARD 17)
  find_file(torch_all_header torch/all.h PATHS ${TORCH_INCLUDE_DIRS} NO_DEFAULT_PATH NO_CACHE)
  if(torch_all_header)
    file(STRINGS "${torch_all_header}" torch_standard REGEX "__cplusplus < 20[0-9]+L")
    if(torch_standard MATCHES "__cplusplus < 2020")
      set(CMAKE_CXX_STANDARD 20)
    elseif(torch_standard MATCHES "__cplusplus < 2023")
      set(CMAKE_CXX_STANDARD 23)
    endif()
  endif()
endif()
message(STATUS "LibTorch ${Torch_VERSION} in ${torch_prefix}, C++${CMAKE_CXX_STANDARD}")

# PyTorch's libtorch.so exports parts of libstdc++ (std::filesystem, streams) that work in its own build only: with
# it before libstdc++.so among a program's libraries, remove_all and LibTorch's own warnings end in SIGSEGV. So
# libstdc++ goes first into every program.
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang" AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
  add_link_options(-Wl,--push-state,--no-as-needed,-lstdc++,--pop-state)
endif()

# It also brings a copy of fmt, of another version than the library that is linked: the library's own headers come
# before it in every source.
get_target_property(fmt_headers fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
if(NOT fmt_headers)
  set(fmt_headers "")
endif()
find_path(fmt_folder fmt/format.h NO_CACHE NO_DEFAULT_PATH REQUIRED
  PATHS ${fmt_headers} "${fmt_DIR}/../../../include" "${fmt_DIR}/../../../../include" /usr/include)
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/fmt_first")
file(CREATE_LINK "${fmt_folder}/fmt" "${CMAKE_BINARY_DIR}/fmt_first/fmt" SYMBOLIC)
include_directories(BEFORE SYSTEM "${CMAKE_BINARY_DIR}/fmt_first")

# Whether LibTorch was built with a backend of its process groups whose headers are there, too: compiled only, since
# LibTorch's targets name libraries that the program does not need.
include(CheckCXXSourceCompiles)
function(find_process_group name class)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  set(CMAKE_REQUIRED_QUIET ON)
  set(CMAKE_REQUIRED_INCLUDES "${CMAKE_BINARY_DIR}/fmt_first" ${TORCH_INCLUDE_DIRS} ${ARGN})
  set(CMAKE_REQUIRED_FLAGS "${TORCH_CXX_FLAGS}")
  set(CMAKE_REQUIRED_DEFINITIONS -DUSE_C10D_${name})
  check_cxx_source_compiles("
    #include <torch/csrc/distributed/c10d/TCPStore.hpp>
    #include <torch/csrc/distributed/c10d/${class}.hpp>
    int size() { return sizeof(&c10d::${class}::allreduce); }" FLIPSTORM_HAS_${name})
  if(FLIPSTORM_HAS_${name})
    message(STATUS "LibTorch's process groups: ${name}")
  endif()
endfunction()
