//! `arwendebug server`.

use crate::options::{CostOptions, PayloadFormat, payload_format};
use crate::print;
use arwen::internal::scenario::ChildSettings;
use arwen::internal::server::{self, ServerSettings};
use arwen::internal::tool::Exit;
use clap::Args;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

/// Serves the commands on worlds by HTTP, and a page for a browser.
///
/// POST /account, /deploy, /upgrade, /run and /query take the JSON of the reference's server; /openapi.json describes them. The
/// page is at /. Contracts run in child processes, as with --ipc of other commands.
///
/// Requests are served that name this server `localhost` or by an IP address, and that no page of another site makes. There is
/// no password: who reaches the address can change the worlds and read contracts from files.
///
/// SIGINT (Ctrl-C) and SIGTERM end it once the requests that run are answered; a second one ends it at once.
///
/// Exit codes: 0 ended by a signal, 2 the address is not to be had, or bad input.
#[derive(Args)]
#[command(after_help = "Examples:
  arwendebug server
  arwendebug server --address 127.0.0.1:0 --database /tmp/db --jobs 4
  curl -d '{\"AddressHex\": \"alice\", \"Balance\": \"1000\"}' http://localhost:9091/account")]
pub struct Options {
    /// Where to listen. Port 0 is any that is free; the address is printed.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9091", value_parser = address)]
    address: SocketAddr,

    /// The world of requests that name none: a file `worlds/NAME.json` in the database.
    #[arg(long, value_name = "NAME", default_value = "default")]
    world: String,

    /// The folder of the database. Worlds are files in it, and outcomes.
    #[arg(long, value_name = "FOLDER", default_value = "./db")]
    database: PathBuf,

    /// How long a contract may run, in seconds; then its child is ended, the response is 504, and nothing is changed.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    time_limit: u32,

    /// How many transactions run at a time, and how many queries. Transactions on a world take turns. [default: the number
    /// of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// The longest body of a request, in bytes; the response to a longer one is 413.
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20)]
    body_limit: usize,

    /// How long a client may take for the headers of a request, in seconds, and three times as long for the body.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    client_time: u32,

    /// How the messages to and from the children are encoded; protobuf needs a build with the feature `protobuf`, and is
    /// the default of such a build.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<PayloadFormat>,

    /// Record what is said to and by the children, a file in FOLDER for each.
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
}

/// The reference's tool takes a port alone, too: `:9091`. Here that is one of this machine only.
fn address(text: &str) -> Result<SocketAddr, String> {
    let whole = match text.strip_prefix(':') {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.replace("localhost:", "127.0.0.1:"),
    };
    whole
        .parse()
        .map_err(|_| "an IP address and a port are needed, such as 127.0.0.1:9091".to_owned())
}

/// Serves until a signal.
pub fn run(options: Options, costs: &CostOptions) -> anyhow::Result<Exit> {
    let settings = ServerSettings {
        address: options.address,
        database: options.database,
        world: options.world,
        gas_schedule: costs.gas_schedule()?,
        child: ChildSettings {
            time_limit: Duration::from_secs(options.time_limit.into()),
            recordings: options.record,
            ..ChildSettings::new(payload_format(options.format)?)
        },
        jobs: options
            .jobs
            .or(available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN),
        body_bytes: options.body_limit,
        client_time: Duration::from_secs(options.client_time.into()),
    };
    let mut printed = io::Result::Ok(());
    server::run(settings, |address| {
        printed = print::text(&format_args!("http://{address}/"));
    })?;
    printed?;
    Ok(Exit::Success)
}
