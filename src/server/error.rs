//! Why a server does not run.

use crate::machine::BuildError;
use std::io;
use std::net::SocketAddr;
use thiserror::Error;

/// A server that can't run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is not to be had.
    #[error(
        "can't listen on {address}: {reason}; another server may run there, --address names another one, port 0 any that is free"
    )]
    Address {
        /// The address.
        address: SocketAddr,
        /// The answer of the system.
        reason: io::Error,
    },
    /// This machine lacks something.
    #[error("can't start the server")]
    Machine(#[from] io::Error),
    /// Nothing runs contracts.
    #[error("can't run contracts")]
    NoMachine(#[from] BuildError),
}
