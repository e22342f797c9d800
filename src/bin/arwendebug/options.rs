//! Options that several commands have.

use arwen::internal::scenario::ChildSettings;
use arwen::internal::tool::{self, Machines, ToolError};
use arwen::messages::{Format, GasSectionEntry, UnsupportedMarshalizer};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What things cost.
#[derive(Args)]
pub struct CostOptions {
    /// Take the costs of gas from FILE, the gasSchedule.toml of a node. Without it the gas schedule is that of the
    /// reference's tests: everything costs 1, the gas lock of asynchronous calls 100000.
    #[arg(long, global = true, value_name = "FILE")]
    gas_schedule: Option<PathBuf>,
}

impl CostOptions {
    /// The costs, read from their file.
    pub fn gas_schedule(&self) -> Result<Vec<GasSectionEntry>, ToolError> {
        tool::gas_schedule(self.gas_schedule.as_deref())
    }
}

/// Where contracts run.
#[derive(Args)]
pub struct MachineOptions {
    /// Run contracts as a node does: in child processes. The program `arwen` is looked for in the current folder, then
    /// where the environment variable ARWEN_PATH says, then beside this program. Without it they run in this process.
    #[arg(long)]
    ipc: bool,

    /// How the messages to and from the children are encoded; protobuf needs a build with the feature `protobuf`, and is
    /// the default of such a build.
    #[arg(long, value_enum, requires = "ipc", value_name = "FORMAT")]
    format: Option<PayloadFormat>,

    /// Record what is said to and by the children, a file in FOLDER for each. `arwendebug replay` plays such files to another
    /// child, `arwendebug dialogue` shows them.
    #[arg(long, requires = "ipc", value_name = "FOLDER")]
    record: Option<PathBuf>,
}

impl MachineOptions {
    /// What was chosen.
    pub fn machines(&self) -> Result<Machines, UnsupportedMarshalizer> {
        let format = payload_format(self.format)?;
        Ok(match self.ipc {
            true => Machines::Child(ChildSettings {
                recordings: self.record.clone(),
                ..ChildSettings::new(format)
            }),
            false => Machines::InProcess,
        })
    }
}

/// The chosen format, if this build has it, or that of the build.
pub fn payload_format(chosen: Option<PayloadFormat>) -> Result<Format, UnsupportedMarshalizer> {
    let format = chosen.map_or(Format::PREFERRED, Format::from);
    format.check()?;
    Ok(format)
}

#[derive(Clone, Copy, ValueEnum)]
pub enum PayloadFormat {
    Json,
    Protobuf,
}

impl From<PayloadFormat> for Format {
    fn from(format: PayloadFormat) -> Format {
        match format {
            PayloadFormat::Json => Format::Json,
            PayloadFormat::Protobuf => Format::Protobuf,
        }
    }
}
