//! Turns proto/ into Rust: the structs (prost), their JSON form, and the table of message kinds.

#[path = "build/schema.rs"]
mod schema;

use protox::prost::Message as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR for build scripts");
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=build");

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
    config
        .compile_fds(descriptors)
        .expect("prost-build accepts what protox made");
}
