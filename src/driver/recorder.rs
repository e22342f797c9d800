//! Records the frames of each child in a file ([`DriverConfig::record`](super::DriverConfig::record)).
//!
//! A request never waits for it: its thread appends frames to a buffer in memory, and another thread compresses and writes them. What
//! does not fit into the buffer is counted, and the recording has a gap there. When the disk fails, recording stops for good.

use super::sinks::{Counters, LOGGER};
use crate::dialogue::Tap;
use crate::messages::Format;
use crate::recording::{self, EXTENSION, Head};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::{Dispatch, warn};

/// Bytes that wait to be written. A disk may pause for as long as it takes to fill this.
const BUFFER_BYTES: usize = 32 << 20;

/// Bytes at which they are written without waiting for more.
const EAGER_BYTES: usize = 1 << 20;

/// How long frames are collected before they are written. So much a crash of the node may lose.
const COLLECT: Duration = Duration::from_millis(50);

/// The thread that writes, for all children of a driver. Dropping it writes what waits.
#[derive(Debug)]
pub(super) struct Recorder {
    folder: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There is work for the thread.
    work: Condvar,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct State {
    steps: Vec<Step>,
    bytes: usize,
    /// Frames that did not fit since the last one that did.
    lost: u64,
    /// A buffer that was written, to be used again.
    spare: Vec<u8>,
    is_closing: bool,
    /// The disk failed.
    has_failed: bool,
}

#[derive(Debug)]
enum Step {
    Open(PathBuf),
    Write(Vec<u8>),
    Close,
}

impl Recorder {
    /// Creates the folder, which is the user's alone, and starts the thread.
    pub(super) fn start(folder: &Path, counters: Arc<Counters>) -> io::Result<Recorder> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            counters,
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            file: None,
        };
        let subscriber = tracing::dispatcher::get_default(Dispatch::clone);
        let thread = thread::Builder::new()
            .name("arwen-recorder".to_owned())
            .spawn(move || tracing::dispatcher::with_default(&subscriber, || writer.run()))?;
        Ok(Recorder {
            folder: folder.to_owned(),
            shared,
            thread: Some(thread),
        })
    }

    /// Begins the recording of a child.
    pub(super) fn begin(&self, child: u32, format: Format) -> Life {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let head = Head {
            started_micros: micros(since_1970.unwrap_or_default()),
            child,
            format,
        };
        let name = format!("arwen-{}-{child}.{EXTENSION}", head.started_micros);
        let mut state = self.shared.lock();
        if !state.has_failed {
            state.steps.push(Step::Open(self.folder.join(name)));
            state.append(|out| recording::write_head(&head, out));
        }
        drop(state);
        self.shared.work.notify_one();
        Life {
            shared: Arc::clone(&self.shared),
            begun: Instant::now(),
            end: None,
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Ignores poisoning: a panic elsewhere leaves the state consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a frame of this length, or counts it as lost.
    fn frame(&self, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        if state.has_failed || state.bytes + length > BUFFER_BYTES {
            state.lost += 1;
            self.counters.unrecorded_frames.fetch_add(1, Relaxed);
            return;
        }
        let before = state.bytes;
        state.append_gap();
        state.append(write);
        self.counters.recorded_frames.fetch_add(1, Relaxed);
        let is_first = before == 0;
        let is_much = before < EAGER_BYTES && state.bytes >= EAGER_BYTES;
        drop(state);
        if is_first || is_much {
            self.work.notify_one();
        }
    }
}

impl State {
    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.steps.last(), Some(Step::Write(_))) {
            self.steps
                .push(Step::Write(std::mem::take(&mut self.spare)));
        }
        if let Some(Step::Write(bytes)) = self.steps.last_mut() {
            let before = bytes.len();
            write(bytes);
            self.bytes += bytes.len() - before;
        }
    }

    fn append_gap(&mut self) {
        let frames = std::mem::take(&mut self.lost);
        if frames > 0 {
            self.append(|out| recording::write_gap(frames, out));
        }
    }
}

/// The recording of one child. Its end is written when it is dropped.
#[derive(Debug)]
pub(super) struct Life {
    shared: Arc<Shared>,
    begun: Instant,
    end: Option<String>,
}

impl Life {
    /// What a messenger calls for each frame.
    pub(super) fn tap(&self) -> impl Tap + use<> {
        LifeTap {
            shared: Arc::clone(&self.shared),
            begun: self.begun,
        }
    }

    /// Says how the child has ended.
    pub(super) fn set_end(&mut self, how: String) {
        self.end = Some(how);
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let how = self.end.take();
        let how = how.unwrap_or_else(|| "the driver has dropped it".to_owned());
        let mut state = self.shared.lock();
        if !state.has_failed {
            state.append_gap();
            state.append(|out| recording::write_end(micros(self.begun.elapsed()), &how, out));
            state.steps.push(Step::Close);
        }
        drop(state);
        self.shared.work.notify_one();
    }
}

#[derive(Debug)]
struct LifeTap {
    shared: Arc<Shared>,
    begun: Instant,
}

impl Tap for LifeTap {
    fn sent(&mut self, frame: &[u8]) {
        let micros = micros(self.begun.elapsed());
        self.shared.frame(frame.len(), |out| {
            recording::write_frame_start(true, micros, out);
            out.extend_from_slice(frame);
        });
    }

    fn received(&mut self, kind: u32, payload: &[u8]) {
        let micros = micros(self.begun.elapsed());
        self.shared.frame(payload.len(), |out| {
            recording::write_frame(false, micros, kind, payload, out);
        });
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What the thread does.
struct Writer {
    shared: Arc<Shared>,
    file: Option<(PathBuf, GzEncoder<File>)>,
}

impl Writer {
    fn run(mut self) {
        loop {
            let (steps, is_closing) = self.collect();
            for step in steps {
                if let Err((path, error)) = self.take(step) {
                    return self.fail(&path, &error);
                }
            }
            if let Some((path, file)) = &mut self.file
                && let Err(error) = file.flush()
            {
                let path = path.clone();
                return self.fail(&path, &error);
            }
            if is_closing {
                return;
            }
        }
    }

    /// Waits for steps, and for more of them; whether they are the last.
    fn collect(&self) -> (Vec<Step>, bool) {
        let mut state = self.shared.lock();
        while state.steps.is_empty() && !state.is_closing {
            let woken = self.shared.work.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let begun = Instant::now();
        while let Some(left) = COLLECT.checked_sub(begun.elapsed())
            && state.bytes < EAGER_BYTES
            && !state.is_closing
        {
            let woken = self.shared.work.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.bytes = 0;
        (std::mem::take(&mut state.steps), state.is_closing)
    }

    fn take(&mut self, step: Step) -> Result<(), (PathBuf, io::Error)> {
        match step {
            Step::Open(path) => {
                let mut options = OpenOptions::new();
                let file = options.write(true).create_new(true).mode(0o600).open(&path);
                let file = file.map_err(|error| (path.clone(), error))?;
                self.file = Some((path, GzEncoder::new(file, Compression::fast())));
            }
            Step::Write(mut bytes) => {
                if let Some((path, file)) = &mut self.file {
                    let written = file.write_all(&bytes);
                    written.map_err(|error| (path.clone(), error))?;
                }
                if bytes.capacity() <= 2 * EAGER_BYTES {
                    bytes.clear();
                    self.shared.lock().spare = bytes;
                }
            }
            Step::Close => {
                if let Some((path, file)) = self.file.take() {
                    file.finish().map_err(|error| (path, error))?;
                }
            }
        }
        Ok(())
    }

    /// Stops recording for good. What was written before stays.
    fn fail(&mut self, path: &Path, error: &io::Error) {
        let mut state = self.shared.lock();
        state.has_failed = true;
        state.steps = Vec::new();
        state.bytes = 0;
        drop(state);
        let path = path.display();
        warn!(target: LOGGER, %path, %error, "nothing more is recorded: the recording can't be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Reader, Record};

    /// Nothing is written meanwhile, as by a disk that pauses.
    #[test]
    fn what_does_not_fit_is_a_gap() {
        let folder = tempfile::tempdir().expect("a folder");
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            counters: Arc::default(),
        });
        let recorder = Recorder {
            folder: folder.path().to_owned(),
            shared: Arc::clone(&shared),
            thread: None,
        };
        let life = recorder.begin(7, Format::Json);
        let mut tap = life.tap();
        let large = vec![b'x'; BUFFER_BYTES / 2 - 100];
        for _ in 0..5 {
            tap.received(5, &large);
        }
        tap.received(5, b"small");
        tap.received(5, &large);
        drop(life);
        drop(recorder);
        let writer = Writer {
            shared: Arc::clone(&shared),
            file: None,
        };
        writer.run();

        let mut files = std::fs::read_dir(folder.path()).expect("there");
        let path = files.next().expect("a file").expect("an entry").path();
        let mut reader = Reader::new(File::open(path).expect("there")).expect("a recording");
        let mut found = Vec::new();
        while let Some(record) = reader.next().expect("whole") {
            found.push(match record {
                Record::Frame(frame) => format!("frame of {}", frame.payload.len()),
                Record::Gap { frames } => format!("gap of {frames}"),
                Record::End { how, .. } => how,
            });
        }
        let frame = format!("frame of {}", large.len());
        let expected = [
            &frame,
            &frame,
            "gap of 3",
            "frame of 5",
            "gap of 1",
            "the driver has dropped it",
        ];
        assert_eq!(found, expected);
        assert_eq!(shared.counters.recorded_frames.load(Relaxed), 3);
        assert_eq!(shared.counters.unrecorded_frames.load(Relaxed), 4);
    }
}
