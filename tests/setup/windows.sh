# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# lastkey for Windows, built here and run under Wine. The Windows standard library comes from the active
# toolchain if it has that target (rustup target add x86_64-pc-windows-gnu); otherwise Debian's second Rust
# builds it from source. Either way in a target folder of its own.

WINDOWS_TARGET=x86_64-pc-windows-gnu
WINDOWS_PACKAGES="gcc-mingw-w64-x86-64 wine64 wine"
WINDOWS_RUST_PACKAGES="rustc-web cargo-web rust-web-src"

prepare_windows() {
  WINDOWS_CARGO=(cargo)
  if ! windows_library; then
    WINDOWS_PACKAGES="$WINDOWS_PACKAGES $WINDOWS_RUST_PACKAGES"
    WINDOWS_CARGO=(env RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1
      /usr/bin/cargo "-Zbuild-std=std,panic_unwind")
  fi
  # shellcheck disable=SC2086
  packages $WINDOWS_PACKAGES || windows_tools || return 1
  prepare_wine
}

# windows_library: whether the active toolchain has Windows' standard library
windows_library() {
  local folder
  folder=$(rustc --print target-libdir --target "$WINDOWS_TARGET" 2>/dev/null) && [ -d "$folder" ]
}

# windows_tools: the same without Debian's packages
windows_tools() { windows_library && have x86_64-w64-mingw32-gcc wine64; }

# prepare_wine: a prefix of our own, with the DLL that Wine 8 lacks
prepare_wine() {
  local shim=bcryptprimitives.dll folder
  WINE=$(command -v wine64 || echo /usr/lib/wine/wine64)
  export WINE WINEPREFIX=$KEPT/wine WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
  folder=$WINEPREFIX/drive_c/windows/system32
  # A server that ends between two programs may hang up on the second.
  mkdir -p "$WINEPREFIX"
  "$(command -v wineserver || echo /usr/lib/wine/wineserver)" -p60 || true
  # wineboot looks for a desktop and complains that there is none.
  [ -d "$folder" ] || "$WINE" wineboot --init >"$RUN/wine.log" 2>&1 ||
    { cat "$RUN/wine.log"; fail "Wine could not make its prefix"; }
  [ -e "$folder/$shim" ] ||
    x86_64-w64-mingw32-gcc -Wall -Werror -O2 -shared -o "$folder/$shim" tests/windows/bcryptprimitives.c -ladvapi32
}

windows_cargo() {
  local command=$1
  shift
  # Line numbers make linking here take longer than compiling.
  CARGO_TARGET_DIR=$KEPT/windows CARGO_PROFILE_DEV_DEBUG=0 \
    CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc \
    CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$WINE \
    "${WINDOWS_CARGO[@]}" "$command" --locked --target "$WINDOWS_TARGET" "$@"
}
