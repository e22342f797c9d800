//! Dialogues: who may send what when (docs/spec/wire.md#dialogue).
//!
//! [`Dialogue`] holds the rules: nonces and turns, without IO and without a clock; both sides use the same. A
//! [`Messenger`] applies them to a transport: it sends and receives whole messages.

mod messenger;
mod state;

pub use messenger::{MessageText, Messenger, MessengerError, Received};
pub use state::{Dialogue, DialogueError, Phase, Side};
