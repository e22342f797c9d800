//! The real binary over real pipes: contracts through the driver, and bad nodes with frames made by hand.

mod boundaries;
mod contracts;
mod determinism;
mod disk_cache;
mod formats;
mod interrupted;
mod known_code;
mod large;
mod limits;
mod node;
mod orphans;
mod pins;
mod pool;
mod raw;
mod read_ahead;
mod ready;
mod record;
mod recorded;
mod sandbox;
mod signals;
mod survival;
mod talkative;
mod time_budget;
mod traces;
mod waiting;
