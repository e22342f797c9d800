//! The codec against what the Go implementation wrote and read, and against itself.

mod arbitrary;
mod differences;
mod equality;
mod frames;
mod golden;
mod keys;
mod properties;
mod recorded;
