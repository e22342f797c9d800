#!/usr/bin/env bash
# Builds all fuzz targets for ClusterFuzzLite and OSS-Fuzz: programs, corpora, options and dictionaries, into $OUT.
set -euo pipefail

# In place of the version that rust-toolchain.toml names.
export RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-nightly}

for manifest in "$SRC"/arwen/fuzz/Cargo.toml "$SRC"/arwen/fuzz/*/Cargo.toml; do
  grep -qx 'cargo-fuzz = true' "$manifest" || continue
  folder=$(dirname "$manifest")
  cargo fuzz build --fuzz-dir "$folder" --target-dir "$folder/target" -O --debug-assertions
  for target in $(cargo fuzz list --fuzz-dir "$folder"); do
    cp "$folder/target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    zip -qj "$OUT/${target}_seed_corpus.zip" "$folder/corpus/$target"/*
    if [ -f "$folder/options/$target.options" ]; then
      cp "$folder/options/$target.options" "$OUT/"
    fi
  done
  find "$folder" -maxdepth 2 -path '*/options/*.dict' -exec cp {} "$OUT/" \;
done
