//! Arwen: a virtual machine that runs WASM smart contracts for a blockchain node, in a child process.
//!
//! The node (parent) holds the state of the chain. Its [`driver`] starts the program `arwen`, sends requests to deploy and
//! call contracts, and answers the hook calls that contracts make meanwhile with the node's [`hooks::BlockchainHook`]. The
//! child is [`part`], which runs contracts in `vm`.
//!
//! ```text
//! bytes        frame       message       dialogue        execution
//! transport -> frame   ->  messages  ->  dialogue    ->  vm: host -> contexts -> eei -> engine
//!                                        driver (node)  <== mirrors ==>  part (arwen)
//! ```
//!
//! Modules use only what stands left of them, never the other side. A node needs `driver`, `hooks` and `messages`:
//!
//! ```no_run
//! # fn node(hook: impl arwen::hooks::BlockchainHook, arguments: arwen::messages::Arguments)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use arwen::driver::{Driver, DriverConfig};
//! use arwen::messages::ContractCallInput;
//!
//! let mut driver = Driver::new(DriverConfig::new(arguments), hook)?;
//! let input = ContractCallInput { function: "transfer".into(), ..ContractCallInput::default() };
//! match driver.call(input)? {
//!     // A contract that failed is an output, too: look at its return code.
//!     Ok(output) => println!("{} units of gas left", output.gas_remaining),
//!     // The VM itself failed. All nodes see the same.
//!     Err(failure) => println!("no output: {failure}"),
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(any(feature = "vm", fuzzing, test))]
mod byte_lru;
pub mod dialogue;
pub mod driver;
pub mod frame;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod gas_schedule;
pub mod hooks;
pub mod logs;
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
