//! What this machine can't give is never the contract's fault.
//!
//! `in_process` fails each call of the system that the engine makes for memory, once, and from there on; `in_child` runs the
//! real child with less and less address space. An answer is the one that a machine with plenty gives, or there is none.
//!
//! `allocations` fails each allocation that Rust or the C library makes meanwhile.
//!
//! `ARWEN_FAULT_STRIDE=1 cargo test --release --test machine_faults allocations` fails each, not one in 83.
//! `ARWEN_FAULT_ROUNDS=20 cargo test --release --test machine_faults` makes 20 times as many calls as without.

#![cfg(feature = "vm")]

mod allocations;
#[expect(unsafe_code, reason = "takes the place of functions of the C library")]
mod allocator;
mod calls;
#[path = "../common/mod.rs"]
mod common;
mod in_child;
mod in_process;
#[expect(unsafe_code, reason = "takes the place of functions of the C library")]
mod system;
