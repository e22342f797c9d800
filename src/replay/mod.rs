//! Replay: plays the node's part of recorded dialogues to a child and compares what it says; and shows recordings to people.
//!
//! | file | what |
//! |---|---|
//! | `source` | the frames of a file: a recording of the driver, or JSON lines |
//! | `lines` | the JSON lines |
//! | `dialogues` | frames to dialogues that can be played by themselves |
//! | `hook_calls` | what a child asks, and what it was answered before it asked |
//! | `compare` | when two messages mean the same, and where they differ |
//! | `player` | one dialogue against a child |
//! | `run` | all dialogues of files, or a share of them, with several children |
//! | `outcome` | the result of a dialogue as a line, sums, and the sum of shares |
//! | `show`, `page` | a recording as text, and as a page |
//! | `readable` | payloads for both |

mod compare;
mod dialogues;
mod error;
mod hook_calls;
mod lines;
mod outcome;
mod page;
mod player;
mod readable;
mod run;
mod show;
mod source;

pub use compare::Difference;
pub use error::ReplayError;
pub use outcome::{Outcome, Shard, Totals, Verdict, merge};
pub use page::write_page;
pub use run::{Settings, run};
pub use show::show;
