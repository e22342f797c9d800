#!/usr/bin/env bash
# Builds all fuzz targets for ClusterFuzzLite and OSS-Fuzz: programs, corpora, options and dictionaries, into $OUT.
# .clusterfuzzlite/check runs it without their images and looks at the result. ARWEN_FUZZ_VM=0 leaves out the targets with the
# virtual machine; CARGO_TARGET_DIR says where to compile.
set -euo pipefail

refuse() {
  echo "build.sh: $*" >&2
  exit 1
}
SANITIZER=${SANITIZER:-address}
[ "$SANITIZER" = address ] || refuse "SANITIZER=$SANITIZER, but only address is supported"
[ "${FUZZING_ENGINE:-libfuzzer}" = libfuzzer ] || refuse "FUZZING_ENGINE=$FUZZING_ENGINE, but only libfuzzer is supported"
[ "${ARCHITECTURE:-x86_64}" = x86_64 ] || refuse "ARCHITECTURE=$ARCHITECTURE, but only x86_64 is supported"

# In place of the version that rust-toolchain.toml names. The image names a nightly that can be older than this crate needs:
# nightly-2025-09-05 in May 2026. Then the newest one.
export RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-nightly}
needed=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$SRC/arwen/Cargo.toml")
[ -n "$needed" ] || refuse "Cargo.toml does not name the version of Rust that it needs"
found=$(rustc --version | cut -d ' ' -f 2)
if ! printf '%s\n' "$needed" "$found" | sort --version-sort --check=quiet; then
  echo "build.sh: Rust $found of $RUSTUP_TOOLCHAIN is older than $needed: takes the newest nightly" >&2
  export RUSTUP_TOOLCHAIN=nightly
  rustup toolchain install nightly --profile minimal --no-self-update
fi

for manifest in "$SRC"/arwen/fuzz/Cargo.toml "$SRC"/arwen/fuzz/*/Cargo.toml; do
  grep -qx 'cargo-fuzz = true' "$manifest" || continue
  folder=$(dirname "$manifest")
  # Those in fuzz/ itself are without the VM.
  [ "$folder" = "$SRC/arwen/fuzz" ] || [ "${ARWEN_FUZZ_VM:-1}" != 0 ] || continue
  target_folder=${CARGO_TARGET_DIR:-$folder/target}
  flags=${RUSTFLAGS:-} options=() wrapper=${RUSTC_WRAPPER:-}
  if [ "$folder" = "$SRC/arwen/fuzz/vm" ]; then
    # What slows these down and guides the fuzzer no better; fuzz/campaign leaves it out, too.
    options=(--no-trace-compares) wrapper=$folder/rustc
    # wasmer leaves the stack of a contract without unwinding, so that marks of AddressSanitizer stay on it (google/sanitizers issue
    # 189). Without them it still checks the heap and globals.
    flags="$flags -Cllvm-args=-asan-stack=0"
  fi
  RUSTFLAGS=$flags RUSTC_WRAPPER=$wrapper cargo fuzz build --fuzz-dir "$folder" --target-dir "$target_folder" \
    --sanitizer "$SANITIZER" -O --debug-assertions "${options[@]}"
  for target in $(cargo fuzz list --fuzz-dir "$folder"); do
    cp "$target_folder/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    rm -f "$OUT/${target}_seed_corpus.zip"
    zip -qj "$OUT/${target}_seed_corpus.zip" "$folder/corpus/$target"/*
    if [ -f "$folder/options/$target.options" ]; then
      cp "$folder/options/$target.options" "$OUT/"
    fi
  done
  find "$folder" -maxdepth 2 -path '*/options/*.dict' -exec cp {} "$OUT/" \;
done
