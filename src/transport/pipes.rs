use super::looking::Looking;
use super::watchdog::Watchdog;
use super::{Awaited, Direction, Transport, TransportError};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A pipe to read from and a pipe to write to.
///
/// A side without deadlines uses blocking pipes ([`Pipes::blocking`]), which saves a system call per message.
#[derive(Debug)]
pub struct Pipes {
    input: Arc<OwnedFd>,
    output: OwnedFd,
    /// Ends reads at their deadline; `None` if the input is non-blocking, or there are no deadlines.
    watchdog: Option<Watchdog>,
    /// Known capacity of the output pipe, in bytes.
    output_bytes: usize,
    /// How long each receive spins; zero unless [`Waiting::Spinning`].
    spin: Duration,
    /// `None` unless [`Waiting::Adapting`].
    looking: Option<Looking>,
}

/// What a receive does until its input comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It sleeps at once.
    Sleeping,
    /// It looks for this time, then sleeps.
    Spinning(Duration),
    /// It looks for as long as that gains something, then sleeps. On a machine with one core it sleeps.
    Adapting,
}

/// Default capacity of a pipe, in bytes.
const PIPE_BYTES: usize = 64 << 10;

/// Largest capacity that a process without privileges may set, in bytes.
const LARGEST_PIPE_BYTES: usize = 1 << 20;

impl Pipes {
    /// For calls without deadlines. With one, a write of more than the pipe's capacity may exceed it.
    pub fn blocking(input: OwnedFd, output: OwnedFd) -> Pipes {
        Pipes {
            input: input.into(),
            output,
            watchdog: None,
            output_bytes: PIPE_BYTES,
            spin: Duration::ZERO,
            looking: None,
        }
    }

    /// Enforces deadlines: non-blocking writes, watchdog-guarded reads.
    pub fn with_deadlines(input: OwnedFd, output: OwnedFd) -> Result<Pipes, Errno> {
        set_non_blocking(output.as_fd())?;
        let mut pipes = Pipes::blocking(input, output);
        pipes.watchdog = Watchdog::new(pipes.input.clone()).ok();
        set_blocking(pipes.input.as_fd(), pipes.watchdog.is_some())?;
        Ok(pipes)
    }

    /// Makes receives wait in this way: waking up can take longer than the other side needs for its answer. Spinning
    /// makes the input non-blocking. Without a call receives sleep.
    pub fn waiting(mut self, waiting: Waiting) -> Result<Pipes, Errno> {
        match waiting {
            Waiting::Sleeping => {}
            Waiting::Spinning(spin) => {
                set_non_blocking(self.input.as_fd())?;
                self.watchdog = None;
                self.spin = spin;
            }
            Waiting::Adapting => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                self.looking = (cores > 1).then(Looking::default);
            }
        }
        Ok(self)
    }

    /// Whether bytes, or the end of the stream, can be received without waiting.
    pub fn has_input(&self) -> bool {
        has_input(self.input.as_fd())
    }

    /// Waits until bytes, or the end of the stream, can be received without waiting. Unlike a receive, it can be
    /// repeated after its deadline has passed.
    pub fn wait_for_input(&self, deadline: Instant) -> Result<(), TransportError> {
        wait(self.input.as_fd(), Direction::Receiving, Some(deadline))
    }
}

impl Transport for Pipes {
    fn send(&mut self, bytes: &[u8], deadline: Option<Instant>) -> Result<(), TransportError> {
        if bytes.len() > self.output_bytes {
            self.widen();
        }
        write_all(self.output.as_fd(), bytes, deadline)
    }

    fn receive(
        &mut self,
        into: &mut Vec<u8>,
        awaited: Awaited,
        deadline: Option<Instant>,
    ) -> Result<usize, TransportError> {
        if !self.spin.is_zero()
            && let Some(read) = self.spin(into, deadline)
        {
            return Ok(read);
        }
        if let Some(looking) = &mut self.looking
            && let Some(mut look) = looking.begin(awaited, Instant::now)
        {
            loop {
                if has_input(self.input.as_fd()) {
                    looking.seen(&look, switches);
                    break;
                }
                // To other threads of this core, such as the other side.
                std::thread::yield_now();
                if !looking.goes_on(&mut look, Instant::now(), switches) {
                    break;
                }
            }
        }
        self.sleep(into, deadline)
    }
}

impl Pipes {
    /// Enlarges the output pipe when a large frame is to be sent. Not done in advance: the kernel cycles through all
    /// buffers of a pipe, so that small frames are faster in a small one. If the system refuses, a large frame only
    /// takes more writes.
    fn widen(&mut self) {
        self.output_bytes = usize::MAX;
        let _ = fcntl(
            &self.output,
            FcntlArg::F_SETPIPE_SZ(LARGEST_PIPE_BYTES as i32),
        );
    }

    /// Reads what there is, and sleeps until something comes.
    fn sleep(
        &self,
        into: &mut Vec<u8>,
        deadline: Option<Instant>,
    ) -> Result<usize, TransportError> {
        let input = self.input.as_fd();
        match (&self.watchdog, deadline) {
            (Some(watchdog), Some(deadline)) => {
                watchdog.begin(deadline);
                let read = read_some(input, into, None);
                match watchdog.end() {
                    true => Err(TransportError::DeadlinePassed(Direction::Receiving)),
                    false => read,
                }
            }
            _ => read_some(input, into, deadline),
        }
    }

    /// Busy-waits for bytes and reads them. `None` if nothing arrives in time, or on an error, which the blocking read
    /// then reports.
    fn spin(&self, into: &mut Vec<u8>, deadline: Option<Instant>) -> Option<usize> {
        let start = Instant::now();
        let end = deadline.map_or(start + self.spin, |at| at.min(start + self.spin));
        loop {
            match read(&self.input, into) {
                Ok(read) => return Some(read),
                // Yields to other threads of this core, such as the other side.
                Err(Errno::EAGAIN | Errno::EINTR) => std::thread::yield_now(),
                Err(_) => return None,
            }
            if Instant::now() >= end {
                return None;
            }
        }
    }
}

/// How often this thread was switched out for others, also when it yielded.
fn switches() -> Option<i64> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).ok()?;
    Some(usage.involuntary_context_switches())
}

/// Writes all bytes to a pipe, like [`Transport::send`]. The deadline only holds if the pipe is non-blocking.
pub fn write_all(
    pipe: BorrowedFd<'_>,
    mut bytes: &[u8],
    deadline: Option<Instant>,
) -> Result<(), TransportError> {
    write_rest(pipe, &mut bytes, deadline)
}

/// Like [`write_all`], but on an error `bytes` is the unwritten rest, so that a later call can continue.
pub fn write_rest(
    pipe: BorrowedFd<'_>,
    bytes: &mut &[u8],
    deadline: Option<Instant>,
) -> Result<(), TransportError> {
    while !write_some(pipe, bytes)? {
        wait(pipe, Direction::Sending, deadline)?;
    }
    Ok(())
}

/// Writes what a non-blocking pipe takes and leaves the rest in `bytes`. Returns whether all bytes are written.
pub fn write_some(pipe: BorrowedFd<'_>, bytes: &mut &[u8]) -> Result<bool, TransportError> {
    while !bytes.is_empty() {
        // Reads and writes use rustix: nix goes through libc, whose read and write are thread cancellation points.
        match rustix::io::write(pipe, bytes).map_err(errno) {
            Ok(written) => *bytes = &bytes[written..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(false),
            Err(Errno::EPIPE) => return Err(TransportError::Closed),
            Err(errno) => return Err(system(Direction::Sending, errno)),
        }
    }
    Ok(true)
}

/// Waits until a pipe takes bytes or is closed, which the next write reports.
pub fn wait_for_room(
    pipe: BorrowedFd<'_>,
    deadline: Option<Instant>,
) -> Result<(), TransportError> {
    wait(pipe, Direction::Sending, deadline)
}

/// Waits for bytes of a pipe and reads some, like [`Transport::receive`].
pub fn read_some(
    pipe: BorrowedFd<'_>,
    into: &mut Vec<u8>,
    deadline: Option<Instant>,
) -> Result<usize, TransportError> {
    // The pipe may be blocking.
    if deadline.is_some() {
        wait(pipe, Direction::Receiving, deadline)?;
    }
    loop {
        match read(pipe, into) {
            Ok(read) => return Ok(read),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => wait(pipe, Direction::Receiving, deadline)?,
            Err(errno) => return Err(system(Direction::Receiving, errno)),
        }
    }
}

/// Reads into the spare capacity of `into`, which need not be initialised.
fn read(pipe: impl AsFd, into: &mut Vec<u8>) -> Result<usize, Errno> {
    rustix::io::read(pipe, rustix::buffer::spare_capacity(into)).map_err(errno)
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}

/// Whether bytes of a pipe, or its end, can be read without waiting.
pub fn has_input(pipe: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(pipe, PollFlags::POLLIN)];
    poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Makes a pipe non-blocking, which deadlines require.
pub fn set_non_blocking(pipe: BorrowedFd<'_>) -> Result<(), Errno> {
    set_blocking(pipe, false)
}

fn set_blocking(pipe: BorrowedFd<'_>, blocking: bool) -> Result<(), Errno> {
    let mut flags = OFlag::from_bits_retain(fcntl(pipe, FcntlArg::F_GETFL)?);
    flags.set(OFlag::O_NONBLOCK, !blocking);
    fcntl(pipe, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// Waits until the pipe is ready or closed, which the next read or write reports.
fn wait(
    pipe: BorrowedFd<'_>,
    direction: Direction,
    deadline: Option<Instant>,
) -> Result<(), TransportError> {
    let events = match direction {
        Direction::Receiving => PollFlags::POLLIN,
        Direction::Sending => PollFlags::POLLOUT,
    };
    loop {
        let timeout = match deadline {
            None => PollTimeout::NONE,
            Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => poll_timeout(left),
                _ => return Err(TransportError::DeadlinePassed(direction)),
            },
        };
        match poll(&mut [PollFd::new(pipe, events)], timeout) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(system(direction, errno)),
        }
    }
}

/// The timeout in whole milliseconds, rounded up, so that poll does not return just before the deadline and spin.
fn poll_timeout(left: Duration) -> PollTimeout {
    let milliseconds = left.as_micros().div_ceil(1000);
    i32::try_from(milliseconds)
        .ok()
        .and_then(|milliseconds| PollTimeout::try_from(milliseconds).ok())
        .unwrap_or(PollTimeout::MAX)
}

fn system(direction: Direction, errno: Errno) -> TransportError {
    let code = errno as i32;
    TransportError::System { direction, code }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pipes that are connected to themselves: what is sent is received again.
    fn echo() -> Pipes {
        let (input, output) = nix::unistd::pipe().expect("a pipe");
        Pipes::with_deadlines(input, output).expect("flags can be set")
    }

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_millis(30))
    }

    #[test]
    fn what_is_sent_is_received() {
        let mut pipes = echo();
        pipes.send(b"hello", soon()).expect("room in the pipe");
        let mut bytes = Vec::with_capacity(8);
        bytes.extend(b"so: x");
        assert_eq!(pipes.receive(&mut bytes, Awaited::Answer, soon()), Ok(3));
        assert_eq!(bytes, b"so: xhel");
        bytes.clear();
        assert_eq!(pipes.receive(&mut bytes, Awaited::Answer, soon()), Ok(2));
        assert_eq!(bytes, b"lo");
    }

    #[test]
    fn deadlines_hold_in_both_directions() {
        let mut pipes = echo();
        let start = Instant::now();
        assert_eq!(
            pipes.receive(&mut Vec::with_capacity(8), Awaited::Answer, soon()),
            Err(TransportError::DeadlinePassed(Direction::Receiving))
        );
        let (reader, output) = nix::unistd::pipe().expect("a pipe");
        let (input, _writer) = nix::unistd::pipe().expect("a pipe");
        let mut pipes = Pipes::with_deadlines(input, output).expect("flags can be set");
        // A write that waits for ever fails as well: in the end its reader goes.
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        let reader = std::thread::spawn(move || {
            let _ = is_done.recv_timeout(Duration::from_secs(10));
            drop(reader);
        });
        let full = vec![0; 2 * LARGEST_PIPE_BYTES];
        assert_eq!(
            pipes.send(&full, soon()),
            Err(TransportError::DeadlinePassed(Direction::Sending))
        );
        assert!(start.elapsed() >= Duration::from_millis(60));
        drop(done);
        reader.join().expect("no panic");
    }

    #[test]
    fn a_deadline_before_one_that_was_far_away_holds() {
        let mut pipes = echo();
        let far = Some(Instant::now() + Duration::from_secs(600));
        for _ in 0..3 {
            pipes.send(b"x", far).expect("room in the pipe");
            assert_eq!(
                pipes.receive(&mut Vec::with_capacity(8), Awaited::Answer, far),
                Ok(1)
            );
            // Lets the watchdog go to sleep until that deadline.
            std::thread::sleep(Duration::from_millis(5));
        }
        let direction = Direction::Receiving;
        assert_eq!(
            pipes.receive(&mut Vec::with_capacity(8), Awaited::Answer, soon()),
            Err(TransportError::DeadlinePassed(direction))
        );
    }

    #[test]
    fn with_deadlines_too_the_stream_ends_with_its_writer() {
        let (input, writer) = nix::unistd::pipe().expect("a pipe");
        let (_, output) = nix::unistd::pipe().expect("a pipe");
        let mut pipes = Pipes::with_deadlines(input, output).expect("flags can be set");
        let far = Some(Instant::now() + Duration::from_secs(600));
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            drop(writer);
        });
        assert_eq!(
            pipes.receive(&mut Vec::with_capacity(8), Awaited::Answer, far),
            Ok(0)
        );
        late.join().expect("no panic");
    }

    #[test]
    fn a_deadline_in_the_past_has_passed() {
        let past = Some(Instant::now());
        let direction = Direction::Receiving;
        assert_eq!(
            echo().receive(&mut Vec::with_capacity(8), Awaited::Answer, past),
            Err(TransportError::DeadlinePassed(direction))
        );
    }

    #[test]
    fn a_spinning_receiver_gets_what_comes_then_and_later() {
        for spin in [
            Duration::ZERO,
            Duration::from_micros(1),
            Duration::from_secs(60),
        ] {
            let (input, output) = nix::unistd::pipe().expect("a pipe");
            let writer = output.try_clone().expect("a descriptor");
            let mut pipes = Pipes::blocking(input, output)
                .waiting(Waiting::Spinning(spin))
                .expect("flags can be set");
            pipes.send(b"now", None).expect("room in the pipe");
            let mut bytes = Vec::with_capacity(8);
            assert_eq!(pipes.receive(&mut bytes, Awaited::Answer, None), Ok(3));
            let late = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                write_all(writer.as_fd(), b"later", None)
            });
            assert_eq!(pipes.receive(&mut bytes, Awaited::Answer, None), Ok(5));
            assert_eq!(bytes, b"nowlater");
            bytes.clear();
            late.join().expect("no panic").expect("room in the pipe");
            assert_eq!(
                pipes.receive(&mut bytes, Awaited::Answer, soon()),
                Err(TransportError::DeadlinePassed(Direction::Receiving))
            );
        }
    }

    #[test]
    fn the_other_side_is_gone() {
        let (input, _) = nix::unistd::pipe().expect("a pipe");
        let (_, output) = nix::unistd::pipe().expect("a pipe");
        let mut pipes = Pipes::blocking(input, output);
        assert_eq!(
            pipes.receive(&mut Vec::with_capacity(8), Awaited::Answer, None),
            Ok(0)
        );
        assert_eq!(pipes.send(b"x", None), Err(TransportError::Closed));
    }

    #[test]
    fn what_the_system_refuses_is_told_with_its_reason() {
        for spin in [Duration::ZERO, Duration::from_secs(60)] {
            // The wrong way round: the end to write to can't be read.
            let (output, input) = nix::unistd::pipe().expect("a pipe");
            let mut pipes = Pipes::blocking(input, output)
                .waiting(Waiting::Spinning(spin))
                .expect("flags can be set");
            let refused = |direction| Err(system(direction, Errno::EBADF));
            let received = pipes.receive(&mut Vec::with_capacity(8), Awaited::Answer, None);
            assert_eq!(received.map(drop), refused(Direction::Receiving));
            assert_eq!(pipes.send(b"x", None), refused(Direction::Sending));
        }
    }

    #[test]
    fn a_deadline_is_never_rounded_down() {
        assert_eq!(
            poll_timeout(Duration::from_nanos(1_500_000)).as_millis(),
            Some(2)
        );
        assert_eq!(poll_timeout(Duration::MAX), PollTimeout::MAX);
    }
}
