//! The JSON dialect of scenario files (docs/spec/scenarios.md#json-dialect): order is kept, strings have no escapes and
//! need not be UTF-8, and there are no numbers and no null.

use crate::messages::go_text;
use bytes::Bytes;
use thiserror::Error;

/// Limit of nested lists and maps. Scenarios need seven levels; the limit keeps hostile files from overflowing the
/// stack.
const DEPTH_LIMIT: usize = 128;

/// Length of the longest character in UTF-8, in bytes.
const UTF8_BYTES: usize = 4;

/// A value of the dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string: the bytes between its quotes.
    Text(Bytes),
    /// `true` or `false`.
    Flag(bool),
    /// A list.
    List(Vec<Value>),
    /// A map, in the order of the file. Of equal keys only the first is kept.
    Map(Vec<(Bytes, Value)>),
}

/// A syntax error and its position.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct JsonError {
    /// From 1.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
    /// What is wrong.
    pub fault: JsonFault,
}

/// What can be wrong with the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonFault {
    /// A number, null or anything else without quotes.
    #[error("Invalid value: {0}")]
    InvalidValue(String),
    /// No value where one is due, such as after the last comma of a list.
    #[error("a value is missing before `{0}`")]
    MissingValue(char),
    /// A map without quotes around its key, or with a comma after its last entry.
    #[error("a key in quotes is due, not `{0}`")]
    KeyDue(char),
    /// A key without a value.
    #[error("a colon is due after a key, not `{0}`")]
    ColonDue(char),
    /// Something other than a comma or a closing brace after an entry of a map.
    #[error("a comma or a closing brace is due, not `{0}`")]
    EntryEndDue(char),
    /// Something after the value.
    #[error("nothing may follow the outermost value, but `{0}` does")]
    Trailing(char),
    /// The text ends too early. Often the quote that should have ended a string has a backslash before it.
    #[error("the text ends within a value")]
    Unfinished,
    /// Lists and maps are nested too deep.
    #[error("more than {DEPTH_LIMIT} levels of lists and maps")]
    TooDeep,
}

/// Parses a file, which is one value.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    let outcome = parser.value().and_then(|value| match parser.next_token() {
        None => Ok(value),
        Some(_) => parser.fail(JsonFault::Trailing),
    });
    outcome.map_err(|fault| parser.error(fault))
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next byte that is not white space, without consuming it.
    fn next_token(&mut self) -> Option<u8> {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
        self.peek()
    }

    /// A fault that names the current character; U+FFFD for an invalid byte.
    fn fail<T>(&self, fault: fn(char) -> JsonFault) -> Result<T, JsonFault> {
        let rest = &self.text[self.at..];
        let Some(chunk) = rest[..rest.len().min(UTF8_BYTES)].utf8_chunks().next() else {
            return Err(JsonFault::Unfinished);
        };
        let character = chunk.valid().chars().next();
        Err(fault(character.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }

    fn error(&self, fault: JsonFault) -> JsonError {
        let read = &self.text[..self.at];
        let line_start = read.iter().rposition(|&byte| byte == b'\n');
        JsonError {
            line: 1 + read.iter().filter(|&&byte| byte == b'\n').count(),
            column: 1 + self.at - line_start.map_or(0, |newline| newline + 1),
            fault,
        }
    }

    fn value(&mut self) -> Result<Value, JsonFault> {
        match self.next_token() {
            None => Err(JsonFault::Unfinished),
            Some(b'{') => self.nested(Parser::map),
            Some(b'[') => self.nested(Parser::list),
            Some(b']' | b'}' | b',') => self.fail(JsonFault::MissingValue),
            Some(b'"') => self.string().map(Value::Text),
            Some(_) => self.bare(),
        }
    }

    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Value, JsonFault>,
    ) -> Result<Value, JsonFault> {
        if self.depth == DEPTH_LIMIT {
            return Err(JsonFault::TooDeep);
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// A string, from quote to quote. A quote after a backslash is part of it, even if the backslash is itself the
    /// second of two.
    fn string(&mut self) -> Result<Bytes, JsonFault> {
        let start = self.at + 1;
        let end = (start..self.text.len())
            .find(|&at| self.text[at] == b'"' && self.text[at - 1] != b'\\')
            .ok_or(JsonFault::Unfinished)?;
        self.at = end + 1;
        Ok(Bytes::copy_from_slice(&self.text[start..end]))
    }

    /// A value without quotes; only a flag is valid.
    fn bare(&mut self) -> Result<Value, JsonFault> {
        let rest = &self.text[self.at..];
        let end = rest
            .iter()
            .position(|&byte| is_space(byte) || matches!(byte, b']' | b'}' | b','))
            .ok_or(JsonFault::Unfinished)?;
        let value = match &rest[..end] {
            b"true" => Value::Flag(true),
            b"false" => Value::Flag(false),
            other => return Err(JsonFault::InvalidValue(go_text(other))),
        };
        self.at += end;
        Ok(value)
    }

    /// A list. After an element everything but a comma and the closing bracket is skipped, as the reference does.
    fn list(&mut self) -> Result<Value, JsonFault> {
        let mut elements = Vec::new();
        loop {
            match self.next_token() {
                None => return Err(JsonFault::Unfinished),
                Some(b']') => break,
                Some(_) if elements.is_empty() => elements.push(self.value()?),
                Some(b',') => {
                    self.at += 1;
                    elements.push(self.value()?);
                }
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        Ok(Value::List(elements))
    }

    /// A map. A comma may come before the first entry, as in the reference.
    fn map(&mut self) -> Result<Value, JsonFault> {
        let mut entries: Vec<(Bytes, Value)> = Vec::new();
        loop {
            match self.next_token() {
                None => return Err(JsonFault::Unfinished),
                Some(b'}') => break,
                Some(b',') => self.at += 1,
                Some(_) if entries.is_empty() => {}
                Some(_) => return self.fail(JsonFault::EntryEndDue),
            }
            let (key, value) = self.entry()?;
            if !entries.iter().any(|(earlier, _)| *earlier == key) {
                entries.push((key, value));
            }
        }
        self.at += 1;
        Ok(Value::Map(entries))
    }

    fn entry(&mut self) -> Result<(Bytes, Value), JsonFault> {
        if self.next_token() != Some(b'"') {
            return self.fail(JsonFault::KeyDue);
        }
        let key = self.string()?;
        if self.next_token() != Some(b':') {
            return self.fail(JsonFault::ColonDue);
        }
        self.at += 1;
        Ok((key, self.value()?))
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(input: impl AsRef<[u8]>) -> Result<Value, JsonError> {
        super::parse(input.as_ref())
    }

    fn text(text: &'static str) -> Value {
        Value::Text(text.into())
    }

    fn fault(input: &str) -> JsonFault {
        parse(input).expect_err(input).fault
    }

    #[test]
    fn keeps_the_order_of_a_map() {
        let input = " {\"b\": \"1\",\r\n\t\"a\": [true, false, []], \"c\": {}} \n";
        let expected = Value::Map(vec![
            ("b".into(), text("1")),
            (
                "a".into(),
                Value::List(vec![
                    Value::Flag(true),
                    Value::Flag(false),
                    Value::List(vec![]),
                ]),
            ),
            ("c".into(), Value::Map(vec![])),
        ]);
        assert_eq!(parse(input), Ok(expected));
    }

    #[test]
    fn strings_have_no_escapes() {
        assert_eq!(parse(r#""a\nb""#), Ok(text(r"a\nb")));
        assert_eq!(parse(r#""say \"hi\"""#), Ok(text(r#"say \"hi\""#)));
        // The quote after two backslashes does not end the string.
        assert_eq!(fault(r#""ends with \\""#), JsonFault::Unfinished);
        assert_eq!(parse("\"täglich\n€\""), Ok(text("täglich\n€")));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept() {
        // Half of a character, at the end of a string too.
        let input = b"{\"a\xfe\": \"\xff\xc3\", \"a\xff\": [\"\x80\"], \"a\xfe\": true}";
        let text = |bytes: &'static [u8]| Value::Text(Bytes::from_static(bytes));
        let expected = vec![
            (Bytes::from_static(b"a\xfe"), text(b"\xff\xc3")),
            (
                Bytes::from_static(b"a\xff"),
                Value::List(vec![text(b"\x80")]),
            ),
        ];
        assert_eq!(parse(input), Ok(Value::Map(expected)));
        for (input, line, column, fault) in [
            (
                &b"[\"\xff\xfe\", \xffx]"[..],
                1,
                8,
                "Invalid value: \u{fffd}x",
            ),
            (
                b"{\"\xff\" \xe2\x82}",
                1,
                6,
                "a colon is due after a key, not `\u{fffd}`",
            ),
            (b"{\n\xc3}", 2, 1, "a key in quotes is due, not `\u{fffd}`"),
            (
                b"{}\xff",
                1,
                3,
                "nothing may follow the outermost value, but `\u{fffd}` does",
            ),
            (
                "{}€".as_bytes(),
                1,
                3,
                "nothing may follow the outermost value, but `€` does",
            ),
            (b"[\"a\xff", 1, 2, "the text ends within a value"),
        ] {
            let error = parse(input).expect_err("not of the dialect");
            assert_eq!(
                error.to_string(),
                format!("line {line}, column {column}: {fault}")
            );
        }
    }

    #[test]
    fn the_first_of_equal_keys_wins() {
        let input = r#"{"a": "1", "a": {"never": "seen"}, "b": "2"}"#;
        let expected = vec![("a".into(), text("1")), ("b".into(), text("2"))];
        assert_eq!(parse(input), Ok(Value::Map(expected)));
    }

    #[test]
    fn stray_characters_between_list_elements_are_skipped() {
        let expected = Value::List(vec![text("a"), text("b")]);
        assert_eq!(parse(r#"["a" x "y" , "b" 7]"#), Ok(expected.clone()));
        assert_eq!(parse(r#"["a" {:, "b"]"#), Ok(expected));
        // A comma in a stray string is one all the same, and a bracket ends the list.
        assert_eq!(
            fault(r#"["a" "x,y"]"#),
            JsonFault::InvalidValue("y\"".to_owned())
        );
        assert_eq!(fault(r#"["a" ["b"], "c"]"#), JsonFault::Trailing(','));
    }

    #[test]
    fn a_map_may_begin_with_a_comma() {
        let expected = Value::Map(vec![("a".into(), text("1"))]);
        assert_eq!(parse(r#"{, "a": "1"}"#), Ok(expected));
    }

    #[test]
    fn rejects_what_is_not_of_the_dialect() {
        for (input, expected) in [
            ("", JsonFault::Unfinished),
            ("[1]", JsonFault::InvalidValue("1".to_owned())),
            ("[null]", JsonFault::InvalidValue("null".to_owned())),
            ("{\"a\": -5 }", JsonFault::InvalidValue("-5".to_owned())),
            ("[\"a\",]", JsonFault::MissingValue(']')),
            ("[,\"a\"]", JsonFault::MissingValue(',')),
            ("[\"a\",,\"b\"]", JsonFault::MissingValue(',')),
            ("{\"a\": \"1\",}", JsonFault::KeyDue('}')),
            ("{,}", JsonFault::KeyDue('}')),
            ("{a: \"1\"}", JsonFault::KeyDue('a')),
            ("{\"a\" \"1\"}", JsonFault::ColonDue('"')),
            ("{\"a\":}", JsonFault::MissingValue('}')),
            ("{\"a\": \"1\" \"b\": \"2\"}", JsonFault::EntryEndDue('"')),
            ("{} {}", JsonFault::Trailing('{')),
            ("{}é", JsonFault::Trailing('é')),
            ("{\"a\": \"1\"", JsonFault::Unfinished),
            ("[", JsonFault::Unfinished),
            (
                "// no comments\n{}",
                JsonFault::InvalidValue("//".to_owned()),
            ),
        ] {
            assert_eq!(fault(input), expected, "{input}");
        }
    }

    #[test]
    fn faults_have_a_place() {
        let error = parse("{\n  \"a\": \"1\",\n  \"é\": 12\n}").expect_err("a number");
        assert_eq!(error.to_string(), "line 3, column 9: Invalid value: 12");
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(DEPTH_LIMIT)).is_ok());
        assert_eq!(fault(&nested(DEPTH_LIMIT + 1)), JsonFault::TooDeep);
        assert_eq!(fault(&"[".repeat(1 << 20)), JsonFault::TooDeep);
    }
}
