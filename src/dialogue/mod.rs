//! Dialogues: which side may send which message when (docs/spec/wire.md#dialogue).
//!
//! [`Dialogue`] is the state machine of nonces and turns, without IO or a clock. Both sides use it. A [`Messenger`]
//! applies them to a transport: it sends and receives whole messages.

mod messenger;
mod state;

pub use messenger::{MessageText, Messenger, MessengerError, Received, Tap};
pub use state::{Dialogue, DialogueError, Phase, Side};
