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
//! Modules use only what stands left of them, never the other side. Two traits are the whole contract between a chain and a
//! virtual machine: [`machine::Machine`] is what the chain asks of the VM, [`hooks::BlockchainHook`] what the VM asks of the
//! chain. A node implements the second, has a [`driver::Driver`], which is the first, and applies outputs with
//! [`apply::apply`]. The chapter `docs/embedding.md` says what else a node does before and after a call; here one deploys the
//! contract of `tests/contracts/counter.wat` and calls it:
//!
#![cfg_attr(feature = "vm", doc = "```")]
#![cfg_attr(not(feature = "vm"), doc = "```text")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use arwen::apply::{ApplyError, apply};
//! use arwen::bytes::Bytes;
//! use arwen::driver::{Driver, DriverConfig};
//! use arwen::gas_schedule::flat_gas_schedule;
//! use arwen::hooks::{BlockchainHook, HookResult};
//! use arwen::messages::*;
//! use std::collections::BTreeMap;
//! # const COUNTER: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contracts/counter.wat"));
//! # // Beside this crate's other builds: target/release/build/arwen-HASH/out.
//! # let arwen = concat!(env!("OUT_DIR"), "/../../../arwen");
//!
//! /// The state of a chain: codes by address, and storage values by address and key.
//! #[derive(Default)]
//! struct Chain {
//!     codes: BTreeMap<Bytes, Bytes>,
//!     storage: BTreeMap<(Bytes, Bytes), Bytes>,
//! }
//!
//! impl BlockchainHook for Chain {
//!     fn new_address(&mut self, _creator: &[u8], _nonce: u64, vm_type: &[u8]) -> HookResult<Bytes> {
//!         Ok([&[0; 8], vm_type, &[b'c'; 22]].concat().into())
//!     }
//!
//!     fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
//!         let place = (address.to_vec().into(), key.to_vec().into());
//!         Ok(self.storage.get(&place).cloned())
//!     }
//!
//!     fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
//!         let code = self.codes.get(address).cloned().unwrap_or_default();
//!         // Every address has an account, with nonce 1 and without coins.
//!         Ok(Some(Account { nonce: 1, balance: Some(BigInt::default()), code, ..Account::default() }))
//!     }
//! }
//!
//! let config = DriverConfig::new(Arguments {
//!     vm_type: "\x05\0".into(),
//!     block_gas_limit: 1_500_000_000,
//!     gas_schedule: flat_gas_schedule(1, 100_000),
//!     kalyan3104_protected_key_prefix: "KALYAN3104".into(),
//!     ..Arguments::default()
//! });
//! # let config = config.binary(arwen).disk_cache(arwen::driver::DiskCache::Off);
//! let mut driver = Driver::new(config, Chain::default())?;
//!
//! let user = Bytes::from(vec![b'u'; 32]);
//! let input = VmInput {
//!     caller_addr: user.clone(),
//!     call_value: Some(BigInt::default()),
//!     gas_provided: 100_000,
//!     ..VmInput::default()
//! };
//! let deployed = driver.deploy(ContractCreateInput {
//!     input: Some(input.clone()),
//!     contract_code: wat::parse_str(COUNTER)?.into(),
//!     ..ContractCreateInput::default()
//! })??;
//!
//! let mut contract = Bytes::new();
//! apply(Some(&user), &0u8.into(), &deployed, |change| {
//!     let chain = driver.hook_mut();
//!     if let Some(new) = change.code {
//!         contract = change.address.clone();
//!         chain.codes.insert(contract.clone(), new.code.clone());
//!     }
//!     for (key, value) in change.storage {
//!         chain.storage.insert((change.address.clone(), key.clone()), value.clone());
//!     }
//!     Ok::<_, ApplyError>(())
//! })?;
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

pub mod apply;
pub mod driver;
pub mod gas_schedule;
pub mod hooks;
pub mod machine;
pub mod messages;
pub mod trace;

#[cfg(any(feature = "vm", fuzzing, test))]
mod activity;
mod byte_lru;
mod dialogue;
#[cfg(feature = "vm")]
mod engine;
mod escape;
mod frame;
#[cfg(any(fuzzing, test))]
mod fuzzing;
mod logs;
#[cfg(any(feature = "vm", fuzzing, test))]
mod part;
#[cfg(feature = "record")]
mod recording;
#[cfg(feature = "vm")]
mod replay;
#[cfg(any(feature = "vm", fuzzing, test))]
mod scenario;
#[cfg(feature = "tool")]
mod server;
mod short_bytes;
#[cfg(feature = "vm")]
mod tool;
mod transport;
#[cfg(feature = "vm")]
mod vm;

// Their types stand in those of this crate.
pub use bytes;
pub use num_bigint;

/// For the programs, tests, benchmarks and fuzz targets of this project. A node has no use for it, and it changes without
/// notice.
#[doc(hidden)]
pub mod internal {
    macro_rules! reexport {
        ($($(#[$condition:meta])? $path:path as $name:ident;)*) => {
            $($(#[$condition])? pub mod $name {
                pub use $path::*;
            })*
        };
    }
    reexport! {
        crate::dialogue as dialogue;
        crate::escape as escape;
        crate::frame as frame;
        #[cfg(any(fuzzing, test))] crate::fuzzing as fuzzing;
        crate::logs as logs;
        crate::messages::codec as codec;
        crate::messages::json as json;
        #[cfg(any(feature = "vm", fuzzing, test))] crate::part as part;
        #[cfg(feature = "record")] crate::recording as recording;
        #[cfg(feature = "vm")] crate::replay as replay;
        #[cfg(any(feature = "vm", fuzzing, test))] crate::scenario as scenario;
        #[cfg(feature = "tool")] crate::server as server;
        #[cfg(feature = "vm")] crate::tool as tool;
        crate::transport as transport;
        #[cfg(feature = "vm")] crate::vm as vm;
    }
}

/// What a node may move to another thread; a promise that the compiler checks.
#[allow(dead_code, reason = "it need only compile")]
fn may_move<H: hooks::BlockchainHook>() {
    fn is_send<T: Send + ?Sized>() {}
    is_send::<H>();
    is_send::<driver::Driver<H>>();
    is_send::<driver::CriticalError>();
    is_send::<driver::PoolError>();
    fn is_shared<T: Send + Sync>() {}
    is_shared::<driver::DriverPool<H>>();
    #[cfg(feature = "vm")]
    is_send::<vm::Vm>();
}
