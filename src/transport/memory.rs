//! An in-memory connection within one process, for tests and fuzzing.

use super::{Awaited, Direction, Transport, TransportError};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One end of a connection. Dropping it closes both directions, like the death of a process.
#[derive(Debug)]
pub struct MemoryTransport {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
}

/// One direction of a connection.
#[derive(Debug)]
struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
    capacity_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    writer_gone: bool,
    reader_gone: bool,
}

/// A connected pair whose pipes hold `capacity_bytes` each.
pub fn pair(capacity_bytes: usize) -> (MemoryTransport, MemoryTransport) {
    let pipe = || {
        Arc::new(Pipe {
            state: Mutex::default(),
            changed: Condvar::new(),
            capacity_bytes,
        })
    };
    let (there, back) = (pipe(), pipe());
    let near = MemoryTransport {
        incoming: back.clone(),
        outgoing: there.clone(),
    };
    let far = MemoryTransport {
        incoming: there,
        outgoing: back,
    };
    (near, far)
}

impl Pipe {
    fn state(&self) -> MutexGuard<'_, State> {
        // Ignores poisoning: every statement leaves the state consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready`, or the deadline.
    fn wait(
        &self,
        direction: Direction,
        deadline: Option<Instant>,
        ready: impl Fn(&State) -> bool,
    ) -> Result<MutexGuard<'_, State>, TransportError> {
        let mut state = self.state();
        while !ready(&state) {
            state = match deadline {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(TransportError::DeadlinePassed(direction));
                    }
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        Ok(state)
    }
}

impl Transport for MemoryTransport {
    fn send(&mut self, mut bytes: &[u8], deadline: Option<Instant>) -> Result<(), TransportError> {
        let pipe = &self.outgoing;
        while !bytes.is_empty() {
            let mut state = pipe.wait(Direction::Sending, deadline, |state| {
                state.reader_gone || state.bytes.len() < pipe.capacity_bytes
            })?;
            if state.reader_gone {
                return Err(TransportError::Closed);
            }
            let room = pipe.capacity_bytes - state.bytes.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            state.bytes.extend(now);
            bytes = later;
            pipe.changed.notify_all();
        }
        Ok(())
    }

    fn receive(
        &mut self,
        into: &mut Vec<u8>,
        _: Awaited,
        deadline: Option<Instant>,
    ) -> Result<usize, TransportError> {
        let pipe = &self.incoming;
        let mut state = pipe.wait(Direction::Receiving, deadline, |state| {
            state.writer_gone || !state.bytes.is_empty()
        })?;
        let room = into.capacity() - into.len();
        let count = room.min(state.bytes.len());
        into.extend(state.bytes.drain(..count));
        pipe.changed.notify_all();
        Ok(count)
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        self.incoming.state().reader_gone = true;
        self.outgoing.state().writer_gone = true;
        self.incoming.changed.notify_all();
        self.outgoing.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn bytes_arrive_in_order_through_a_narrow_pipe() {
        let (mut near, mut far) = pair(3);
        let sender = std::thread::spawn(move || near.send(b"0123456789", None));
        let mut all = Vec::new();
        let mut piece = Vec::with_capacity(4);
        while far
            .receive(&mut piece, Awaited::Answer, None)
            .expect("no deadline")
            > 0
        {
            all.append(&mut piece);
        }
        assert_eq!(all, b"0123456789");
        assert_eq!(sender.join().expect("no panic"), Ok(()));
    }

    #[test]
    fn deadlines_and_ends_are_told_apart() {
        let (mut near, far) = pair(3);
        let soon = Some(Instant::now() + Duration::from_millis(5));
        assert_eq!(
            near.receive(&mut Vec::with_capacity(1), Awaited::Answer, soon),
            Err(TransportError::DeadlinePassed(Direction::Receiving))
        );
        assert_eq!(
            near.send(b"1234", soon),
            Err(TransportError::DeadlinePassed(Direction::Sending))
        );
        drop(far);
        assert_eq!(
            near.receive(&mut Vec::with_capacity(1), Awaited::Answer, None),
            Ok(0)
        );
        assert_eq!(near.send(b"1", None), Err(TransportError::Closed));
    }
}
