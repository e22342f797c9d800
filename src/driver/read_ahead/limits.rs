//! How much is answered ahead.

use std::time::Duration;

/// How much is answered ahead of a request (docs/spec/wire.md#read-ahead).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadAhead {
    /// The most answers. Zero switches read-ahead off. Default 1024: a contract that reads more takes longer than the round trip
    /// that is left to save.
    pub answers: u32,
    /// The most bytes of answers, with their questions. Default 256 KiB: the code of several contracts, and less than a
    /// pipe carries in 0.1 ms.
    pub bytes: u32,
    /// The most time that the node's hooks may take for answers ahead of one request, but for the last of them. Default 2 ms: a wrong
    /// prediction delays a request no longer, and hooks that take longer make a round trip unimportant.
    pub time: Duration,
}

impl Default for ReadAhead {
    fn default() -> ReadAhead {
        ReadAhead {
            answers: 1024,
            bytes: 256 << 10,
            time: Duration::from_millis(2),
        }
    }
}

impl ReadAhead {
    /// Nothing is answered ahead.
    pub const OFF: ReadAhead = ReadAhead {
        answers: 0,
        bytes: 0,
        time: Duration::ZERO,
    };

    /// Sets [`ReadAhead::answers`](#structfield.answers).
    #[must_use]
    pub fn answers(mut self, answers: u32) -> ReadAhead {
        self.answers = answers;
        self
    }

    /// Sets [`ReadAhead::bytes`](#structfield.bytes).
    #[must_use]
    pub fn bytes(mut self, bytes: u32) -> ReadAhead {
        self.bytes = bytes;
        self
    }

    /// Sets [`ReadAhead::time`](#structfield.time).
    #[must_use]
    pub fn time(mut self, time: Duration) -> ReadAhead {
        self.time = time;
        self
    }
}
