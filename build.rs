//! Turns proto/ into Rust: the structs (prost), their JSON form, and the table of message kinds. Also names the build of
//! the engine, so that compiled modules on disk are not used by another one.

#[path = "build/schema.rs"]
mod schema;

use protox::prost::Message as _;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=build");
    println!(
        "cargo::rustc-env=ARWEN_ENGINE_BUILD={:016x}",
        engine_build()
    );

    let mut sources: Vec<_> = fs::read_dir("proto/arwen/v1")
        .expect("proto/arwen/v1 is part of the sources")
        .map(|entry| entry.expect("a readable directory").path())
        .collect();
    sources.sort();
    let descriptors = protox::compile(&sources, ["proto"]).expect("the schema compiles");
    let generated = schema::generate(&descriptors);
    fs::write(Path::new(&out).join("schema.rs"), generated).expect("OUT_DIR is writable");

    // The tests make arbitrary messages of every kind from this.
    fs::write(
        Path::new(&out).join("schema.bin"),
        descriptors.encode_to_vec(),
    )
    .expect("OUT_DIR is writable");

    let mut config = prost_build::Config::new();
    config.bytes(["."]);
    for path in schema::boxed(&descriptors) {
        config.boxed(path);
    }
    config
        .compile_fds(descriptors)
        .expect("prost-build accepts what protox made");
}

/// A hash of everything that compiled modules depend on: the engine without its tests, the list of opcodes whose costs it
/// writes into them, and the versions of all dependencies. The costs themselves are in the name of each module.
fn engine_build() -> u64 {
    let mut sources = vec![
        PathBuf::from("Cargo.lock"),
        PathBuf::from("src/gas_schedule/keys.rs"),
    ];
    let mut folders = vec![PathBuf::from("src/engine")];
    while let Some(folder) = folders.pop() {
        println!("cargo::rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(folder).expect("a folder of the sources") {
            let path = entry.expect("a readable directory").path();
            match path.is_dir() {
                _ if is_test(&path) => {}
                true => folders.push(path),
                false => sources.push(path),
            }
        }
    }
    sources.sort();
    let mut hasher = DefaultHasher::new();
    for path in sources {
        println!("cargo::rerun-if-changed={}", path.display());
        // A crate that is not built in a workspace of its own may come without Cargo.lock; wasmer's version is pinned.
        let content = fs::read(&path).unwrap_or_default();
        hasher.write(path.as_os_str().as_encoded_bytes());
        hasher.write(&content.len().to_le_bytes());
        hasher.write(&content);
    }
    hasher.write(env::var("TARGET").unwrap_or_default().as_bytes());
    hasher.finish()
}

/// Whether a file or folder of the sources holds unit tests only.
fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem == "tests" || stem.ends_with("_tests")
}
