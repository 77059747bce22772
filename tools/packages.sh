# The Debian packages that Heed is built from; sourced by quickstart and check. Names hold for Debian 12 and newer.
heed_build_packages=(
  g++ cmake ninja-build pkg-config ccache
  libonnx-dev libprotobuf-dev protobuf-compiler
  libvulkan-dev glslang-dev glslang-tools
  libboost-program-options-dev nlohmann-json3-dev libhwy-dev
  libpcre2-dev libre2-dev libutf8proc-dev zlib1g-dev
)
heed_run_packages=(mesa-vulkan-drivers libvulkan1)
heed_test_packages=(catch2 vulkan-validationlayers spirv-tools python3-numpy python3-onnx xz-utils)

# install_packages NAME...: installs those that are missing, as root or through sudo.
install_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if ! command -v apt-get >/dev/null; then
    echo "error: these packages are missing, and this system has no apt-get to install them: ${missing[*]}" >&2
    return 1
  fi
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "error: installing ${missing[*]} needs root, or sudo" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
