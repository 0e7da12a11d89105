# shellcheck shell=bash
# What flipstorm needs from Debian. Sourced by quickstart.sh and tests/run.sh, which use the lists.
# shellcheck disable=SC2034

packages_build=(
  g++ cmake ninja-build git ca-certificates
  libtorch-dev libgloo-dev libopenblas0-openmp libopenmpi-dev openmpi-bin libhdf5-openmpi-dev libboost-serialization-dev
  libcli11-dev libtoml11-dev nlohmann-json3-dev libspdlog-dev libfmt-dev libssl-dev zlib1g-dev
)
packages_run=(dataset-fashion-mnist python3 python3-h5py python3-matplotlib)
packages_test=(libgtest-dev libbenchmark-dev hdf5-tools python3-torch python3-sklearn python3-imblearn python3-onnx slurm-wlm munge iproute2 shellcheck
  clang libclang-rt-14-dev)

# usage: install_packages PACKAGE...
# Installs those that are missing. Does nothing, and needs no root, when none is.
install_packages() {
  local missing=() package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) == ii* ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if ! command -v apt-get >/dev/null; then
    echo "This is not Debian. Please install: ${missing[*]}" >&2
    return 1
  fi
  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "As root: apt-get install --no-install-recommends ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing with apt: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
