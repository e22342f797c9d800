//! Splits a text stream into lines, with limits on their length and rate.

use std::time::{Duration, Instant};

/// Longest line that is shown, in bytes; the rest of a longer line is dropped and counted.
pub const LINE_LIMIT_BYTES: usize = 4 << 10;

/// Most text of a child that is shown per [`FLOOD_INTERVAL`], in bytes. A healthy child writes nothing.
pub const FLOOD_LIMIT_BYTES: usize = 1 << 20;

/// The interval of [`FLOOD_LIMIT_BYTES`].
pub const FLOOD_INTERVAL: Duration = Duration::from_secs(1);

/// Cuts a stream into lines.
#[derive(Debug, Default)]
pub(super) struct LineCutter {
    /// The line so far, at most [`LINE_LIMIT_BYTES`].
    line: Vec<u8>,
}

impl LineCutter {
    /// Appends bytes and shows the complete lines. Returns the number of bytes that were cut from too long lines.
    pub(super) fn push(&mut self, bytes: &[u8], mut show: impl FnMut(&[u8])) -> usize {
        let mut lost = 0;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = LINE_LIMIT_BYTES - self.line.len();
            let kept = text.len().min(room);
            self.line.extend_from_slice(&text[..kept]);
            lost += text.len() - kept;
            if piece.len() > text.len() {
                show(&self.line);
                self.line.clear();
            }
        }
        lost
    }

    /// Ends the stream: shows the rest of an incomplete line.
    pub(super) fn end(&mut self, show: impl FnOnce(&[u8])) {
        if !self.line.is_empty() {
            show(&self.line);
            self.line.clear();
        }
    }
}

/// A rate limit for shown text.
#[derive(Debug)]
pub(super) struct FloodGate {
    interval_began: Instant,
    left_bytes: usize,
}

impl FloodGate {
    pub(super) fn new(now: Instant) -> FloodGate {
        FloodGate {
            interval_began: now,
            left_bytes: FLOOD_LIMIT_BYTES,
        }
    }

    /// Whether a line of this length is within the rate limit; counts it if so.
    pub(super) fn lets_pass(&mut self, length: usize, now: Instant) -> bool {
        if now.duration_since(self.interval_began) >= FLOOD_INTERVAL {
            *self = FloodGate::new(now);
        }
        // Counts the line end as well, so that empty lines are limited, too.
        match self.left_bytes.checked_sub(length + 1) {
            Some(left) => {
                self.left_bytes = left;
                true
            }
            None => {
                self.left_bytes = 0;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> (Vec<String>, usize) {
        let mut cutter = LineCutter::default();
        let (mut shown, mut lost) = (Vec::new(), 0);
        let mut show = |line: &[u8]| shown.push(String::from_utf8_lossy(line).into_owned());
        for piece in pieces {
            lost += cutter.push(piece, &mut show);
        }
        cutter.end(show);
        (shown, lost)
    }

    #[test]
    fn lines_come_whole_from_any_pieces() {
        let expected = (vec!["ab".to_owned(), String::new(), "c".to_owned()], 0);
        assert_eq!(lines(&[b"ab\n\nc"]), expected);
        assert_eq!(lines(&[b"a", b"b", b"\n", b"\nc"]), expected);
        assert_eq!(lines(&[b"ab\n", b"\n", b"c\n"]), expected);
    }

    #[test]
    fn an_endless_line_is_cut_and_counted() {
        let piece = [b'x'; 1000];
        let mut pieces = vec![&piece[..]; 10];
        pieces.push(b"\nshort\n");
        let (shown, lost) = lines(&pieces);
        assert_eq!(
            (shown[0].len(), lost),
            (LINE_LIMIT_BYTES, 10_000 - LINE_LIMIT_BYTES)
        );
        assert_eq!(shown[1], "short");
    }

    #[test]
    fn a_flood_passes_up_to_the_limit_and_again_later() {
        let now = Instant::now();
        let mut gate = FloodGate::new(now);
        let passed = (0..10_000).filter(|_| gate.lets_pass(1023, now)).count();
        assert_eq!(passed, FLOOD_LIMIT_BYTES / 1024);
        assert!(!gate.lets_pass(0, now));
        assert!(gate.lets_pass(1023, now + FLOOD_INTERVAL));
    }
}
