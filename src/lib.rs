//! Arwen: a virtual machine that runs WASM smart contracts for a blockchain node, in a child process.
//!
//! The node (parent) holds the state of the chain. Its [`driver`] starts the program `arwen`, sends requests to deploy and
//! call contracts, and answers the hook calls that contracts make meanwhile with the node's [`hooks::BlockchainHook`]. The
//! child is `part`, which runs contracts in `vm`. "The reference" in these pages is Arwen 0.3.26, written in Go, whose results
//! this crate gives to the unit of gas; `docs/spec` says what they are, rule by rule.
//!
//! ```text
//! bytes        frame       message       dialogue        execution
//! transport -> frame   ->  messages  ->  dialogue    ->  vm: host -> eei -> contexts -> engine
//!                                        driver (node)  <== mirrors ==>  part (arwen)
//! ```
//!
//! Modules use only what stands left of them, never the other side. A node needs `driver`, `hooks`, `messages` and
//! `gas_schedule`. Here one deploys the contract of `tests/contracts/counter.wat` and calls it; its state is a world in
//! memory, in place of a [`hooks::BlockchainHook`] of its own:
//!
#![cfg_attr(feature = "vm", doc = "```")]
#![cfg_attr(not(feature = "vm"), doc = "```text")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use arwen::driver::{Driver, DriverConfig};
//! use arwen::gas_schedule::flat_gas_schedule;
//! use arwen::messages::*;
//! use arwen::scenario::{NewAddress, SharedWorld};
//! # const COUNTER: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contracts/counter.wat"));
//! # // Beside this crate's other builds: target/release/build/arwen-HASH/out.
//! # let arwen = concat!(env!("OUT_DIR"), "/../../../arwen");
//!
//! let user = bytes::Bytes::from(vec![b'u'; 32]);
//! let contract = bytes::Bytes::from([vec![0; 8], vec![5, 0], vec![b'c'; 22]].concat());
//! let chain = SharedWorld::default();
//! chain.lock().accounts.entry(user.clone()).or_default();
//! chain.lock().lasting.new_addresses.push(NewAddress {
//!     creator: user.clone(),
//!     creator_nonce: 0,
//!     address: contract.clone(),
//! });
//!
//! let mut config = DriverConfig::new(Arguments {
//!     vm_type: "\x05\0".into(),
//!     block_gas_limit: 1_500_000_000,
//!     gas_schedule: flat_gas_schedule(1, 100_000),
//!     kalyan3104_protected_key_prefix: "KALYAN3104".into(),
//!     ..Arguments::default()
//! });
//! # config.binary = Some(arwen.into());
//! # config.disk_cache = arwen::driver::DiskCache::Off;
//! let mut driver = Driver::new(config, chain.clone())?;
//!
//! let input = VmInput {
//!     caller_addr: user.clone(),
//!     call_value: Some(BigInt::default()),
//!     gas_provided: 100_000,
//!     ..VmInput::default()
//! };
//! let deploy = ContractCreateInput {
//!     input: Some(input.clone()),
//!     contract_code: wat::parse_str(COUNTER)?.into(),
//!     ..ContractCreateInput::default()
//! };
//! let deployed = driver.deploy(deploy)??;
//! assert_eq!(deployed.return_code, ReturnCode::Ok as i64);
//! chain.lock().apply(Some(&user), &Default::default(), &deployed)?;
//!
//! let call = ContractCallInput { input: Some(input), recipient_addr: contract, function: "increment".into() };
//! match driver.call(call)? {
//!     // A contract that failed is an output, too: look at its return code.
//!     Ok(output) => assert_eq!(output.return_data, ["\x02"], "{}", output.return_message),
//!     // The VM itself failed. All nodes see the same.
//!     Err(failure) => panic!("no output: {failure}"),
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(any(feature = "vm", fuzzing, test))]
mod activity;
#[cfg(any(feature = "vm", fuzzing, test))]
mod byte_lru;
pub mod dialogue;
pub mod driver;
#[cfg(feature = "vm")]
pub(crate) mod engine;
#[doc(hidden)]
pub mod escape;
pub mod frame;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod gas_schedule;
pub mod hooks;
pub mod logs;
pub mod machine;
pub mod messages;
#[cfg(any(feature = "vm", fuzzing, test))]
pub mod part;
#[cfg(any(feature = "vm", fuzzing, test))]
pub mod scenario;
pub mod transport;
#[cfg(feature = "vm")]
pub mod vm;

#[cfg(test)]
mod layers;

/// What a node may move to another thread; a promise that the compiler checks.
const _: () = {
    const fn is_send<T: Send + ?Sized>() {}
    is_send::<driver::Driver<Box<dyn hooks::BlockchainHook>>>();
    is_send::<dyn hooks::BlockchainHook>();
    #[cfg(feature = "vm")]
    is_send::<vm::Vm>();
};
