//! Converts `tracing` events to log lines.

use super::level::Level;
use super::line;
use super::profile::{LevelPatterns, Levels, PatternError};
use super::queue::{LineQueue, now};
use std::fmt::{self, Debug, Write as _};
use std::sync::{Arc, PoisonError, RwLock};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Limit of the queue, in bytes: seconds of a contract's lines at TRACE, and little compared to a wasm memory.
pub const QUEUE_LIMIT_BYTES: usize = 4 << 20;

/// Bytes shown as hex in a log line: `tracing::trace!(target: "arwen/host", address = %Hex(address), "...")`.
///
/// A field of type `&[u8]` is shown as hex without it.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// State shared by the layer and its threads: the levels and the queue.
#[derive(Debug)]
pub struct Logs {
    levels: RwLock<Levels>,
    /// The queue of lines to be written.
    pub queue: LineQueue,
}

impl Default for Logs {
    fn default() -> Logs {
        Logs {
            levels: RwLock::default(),
            queue: LineQueue::new(QUEUE_LIMIT_BYTES),
        }
    }
}

impl Logs {
    /// Applies the patterns of a profile to the levels. On an error they stay as they are.
    pub fn apply(&self, patterns: &LevelPatterns) -> Result<(), PatternError> {
        let mut levels = self.levels.write().unwrap_or_else(PoisonError::into_inner);
        levels.apply(patterns)?;
        drop(levels);
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// Disables logging permanently, because the lines have no reader.
    pub fn close(&self) {
        self.queue.close();
        let mut levels = self.levels.write().unwrap_or_else(PoisonError::into_inner);
        *levels = Levels::all(Level::None);
        drop(levels);
        tracing::callsite::rebuild_interest_cache();
    }

    /// The level of a logger.
    pub fn level_of(&self, logger: &str) -> Level {
        let levels = self.levels.read().unwrap_or_else(PoisonError::into_inner);
        levels.of(logger)
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let logger = metadata.target();
        metadata.is_event()
            && is_logger(logger)
            && self.level_of(logger).lets_pass((*metadata.level()).into())
    }
}

/// Whether a target is the name of one of our loggers, such as `arwen/host`. Events of other crates, whose targets are
/// module paths, are left out: we can't promise their number and form.
fn is_logger(target: &str) -> bool {
    target.contains('/') || target.starts_with("arwen")
}

/// A `tracing` layer that turns events into log lines: the target is the logger, `message` the message, every other
/// field a key and a value.
#[derive(Debug, Clone)]
pub struct LogLayer {
    logs: Arc<Logs>,
}

impl LogLayer {
    /// A layer that fills the queue of `logs`.
    pub fn new(logs: Arc<Logs>) -> LogLayer {
        LogLayer { logs }
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    /// The decision is cached per callsite and renewed after each profile, so that a disabled event costs one load.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.logs.wants(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.logs.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let levels = self.logs.levels.read();
        let lowest = levels.unwrap_or_else(PoisonError::into_inner).lowest();
        Some(match lowest {
            Level::Trace => LevelFilter::TRACE,
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
            Level::None => LevelFilter::OFF,
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.logs.queue.push(line::line(
            (*metadata.level()).into(),
            metadata.target(),
            fields.message,
            fields.args,
            now(),
        ));
    }
}

/// The fields of an event as texts.
#[derive(Default)]
struct Fields {
    message: String,
    args: Vec<String>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let mut text = String::new();
        // A value whose `Display` fails is kept as far as it was written.
        let _ = text.write_fmt(value);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.args.push(field.name().to_owned());
            self.args.push(text);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.add(field, format_args!("{}", Hex(value)));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tracing_subscriber::layer::SubscriberExt;

    fn with_logs(run: impl FnOnce(&Logs)) {
        let logs = Arc::new(Logs::default());
        let subscriber = tracing_subscriber::registry().with(LogLayer::new(logs.clone()));
        tracing::subscriber::with_default(subscriber, || run(&logs));
    }

    fn apply(logs: &Logs, patterns: &str) {
        let patterns = patterns.parse().expect("valid patterns");
        logs.apply(&patterns).expect("few rules");
    }

    #[test]
    fn an_event_is_a_line() {
        with_logs(|logs| {
            let address: &[u8] = &[0, 0xab];
            let error = "bad".parse::<u8>().expect_err("no number");
            tracing::info!(
                target: "arwen/host",
                address, hex = %Hex(&[1, 2]), n = 42u64, ok = true, text = "a b", debug = ?Some(1),
                err = &error as &dyn std::error::Error, returnCode = -1i64,
                "message {}", 7
            );
            let line = logs.queue.try_next().expect("a line waits");
            assert_eq!((line.message.as_str(), line.log_level), ("message 7", 2));
            assert_eq!(line.logger_name, "arwen/host");
            assert!(line.timestamp > 1_600_000_000_000_000_000);
            let args = [
                "address",
                "00ab",
                "hex",
                "0102",
                "n",
                "42",
                "ok",
                "true",
                "text",
                "a b",
                "debug",
                "Some(1)",
                "err",
                "invalid digit found in string",
                "returnCode",
                "-1",
            ];
            assert_eq!(line.args, args);
        });
    }

    #[test]
    fn levels_change_at_run_time() {
        fn trace(logs: &Logs) -> bool {
            let computed = Cell::new(false);
            let value = || {
                computed.set(true);
                1
            };
            tracing::trace!(target: "arwen/host", n = value(), "step");
            let line = logs.queue.try_next();
            assert_eq!(
                computed.get(),
                line.is_some(),
                "what is off computes nothing"
            );
            line.is_some()
        }
        with_logs(|logs| {
            assert!(!trace(logs));
            apply(logs, "*:INFO,arwen:TRACE");
            assert!(trace(logs));
            apply(logs, "*:TRACE,arwen/host:ERROR");
            assert!(!trace(logs));
            apply(logs, "*:NONE");
            tracing::error!(target: "arwen/host", "lost");
            assert_eq!(logs.queue.try_next(), None);
        });
    }

    #[test]
    fn foreign_crates_and_closed_logs_say_nothing() {
        with_logs(|logs| {
            apply(logs, "*:TRACE");
            tracing::error!(target: "wasmer_compiler::engine", "not ours");
            assert_eq!(logs.queue.try_next(), None);
            logs.close();
            tracing::error!(target: "arwen/host", "nobody reads");
            assert_eq!(logs.queue.try_next(), None);
        });
    }
}
