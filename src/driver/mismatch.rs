//! How a child can differ from the one that the configuration requires.

use crate::escape::escape_line;
use thiserror::Error;

/// A child reports something else than the configuration requires (docs/spec/wire.md#ready).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// Its protocol version is not that of
    /// [`DriverConfig::require_protocol_version`](super::DriverConfig::require_protocol_version).
    #[error("the required protocol version is {required}, the child {}", version(*.reported))]
    ProtocolVersion {
        /// The version that is required.
        required: u32,
        /// The version of the child; `None` for a child without a report.
        reported: Option<u32>,
    },
    /// The limit of its addresses is not that of
    /// [`ChildLimits::address_space_bytes`](super::ChildLimits::address_space_bytes), nor below it.
    #[error("the child is to have at most {required} bytes of addresses, it {}", addresses(*.reported))]
    AddressSpace {
        /// The limit that is required, in bytes.
        required: u64,
        /// The limit of the child in bytes, 0 for none; `None` for a child without a report.
        reported: Option<u64>,
    },
    /// A layer of a [required](super::Sandbox::Required) sandbox is not in force.
    #[error("the sandbox is required, the child {}", escape_line(.reported))]
    Sandbox {
        /// What is in force instead.
        reported: String,
    },
}

fn addresses(reported: Option<u64>) -> String {
    match reported {
        Some(0) => "has no limit".to_owned(),
        Some(bytes) => format!("has {bytes}"),
        None => "reports no limit".to_owned(),
    }
}

fn version(reported: Option<u32>) -> String {
    match reported {
        Some(version) => format!("has {version}"),
        None => "reports none".to_owned(),
    }
}
