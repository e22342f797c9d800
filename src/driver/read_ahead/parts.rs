//! Which parts of a value of a question come from the request and from earlier answers.

use super::sources::{LONGEST_VALUE, Source, Sources};
use bytes::Bytes;

/// The shortest part of a source that is left open inside of a longer value, in bytes. Shorter ones are equal by chance.
const SHORTEST_PART: usize = 4;

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Fixed(Bytes),
    /// So many bytes of a source from `start` on; `None` for all of them.
    Open {
        source: Source,
        start: usize,
        length: Option<usize>,
    },
}

impl Piece {
    pub(super) fn bytes<'a>(&'a self, sources: &'a Sources) -> Option<&'a [u8]> {
        match self {
            Piece::Fixed(bytes) => Some(bytes),
            Piece::Open {
                source,
                start,
                length,
            } => {
                let bytes = sources.bytes(*source)?.get(*start..)?;
                match length {
                    Some(length) => bytes.get(..*length),
                    None => Some(bytes),
                }
            }
        }
    }
}

/// Cuts a value into what sources have and what is fixed.
pub(super) fn pieces(value: &[u8], sources: &Sources) -> Vec<Piece> {
    let fixed = |bytes: &[u8]| Piece::Fixed(Bytes::copy_from_slice(bytes));
    if value.len() > LONGEST_VALUE {
        return vec![fixed(value)];
    }
    // Most answers are not sources: they are not looked through at each byte.
    let sources: Vec<_> = sources.all().collect();
    let mut pieces = Vec::new();
    let (mut at, mut fixed_from) = (0, 0);
    while at < value.len() {
        let Some((piece, length)) = longest(&value[at..], &sources) else {
            at += 1;
            continue;
        };
        if fixed_from < at {
            pieces.push(fixed(&value[fixed_from..at]));
        }
        pieces.push(piece);
        at += length;
        fixed_from = at;
    }
    if fixed_from < value.len() {
        pieces.push(fixed(&value[fixed_from..]));
    }
    pieces
}

/// The longest part of a source that a value begins with, and its length. A short part counts only if it is a whole source
/// and the whole value, or what is left of it. A part with hardly any different bytes counts only if it is a whole source: others
/// are the zeros that addresses of contracts begin with.
fn longest(value: &[u8], sources: &[(Source, &[u8])]) -> Option<(Piece, usize)> {
    let mut best: Option<(Piece, usize)> = None;
    for &(source, bytes) in sources {
        for start in 0..bytes.len() {
            let rest = &bytes[start..];
            if rest[0] != value[0] {
                continue;
            }
            let equal = value.iter().zip(rest).take_while(|(a, b)| a == b);
            let length = equal.count();
            let is_whole_source = start == 0 && length == bytes.len();
            let is_whole = is_whole_source && length == value.len();
            let is_long =
                length >= SHORTEST_PART && (is_whole_source || is_varied(&value[..length]));
            let is_longer = best.as_ref().is_none_or(|(_, longest)| length > *longest);
            if is_longer && (is_long || is_whole) {
                let length_of_part = (length < rest.len()).then_some(length);
                let piece = Piece::Open {
                    source,
                    start,
                    length: length_of_part,
                };
                best = Some((piece, length));
            }
        }
    }
    best
}

/// Whether there are at least three different bytes.
fn is_varied(part: &[u8]) -> bool {
    let mut others = part.iter().filter(|byte| **byte != part[0]);
    let Some(second) = others.next() else {
        return false;
    };
    others.any(|byte| byte != second)
}
