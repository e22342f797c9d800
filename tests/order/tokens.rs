//! What a source file names: paths in `use` trees, in expressions and types, and in macros, with their lines.
//!
//! The tokens are proc-macro2's, so comments and texts are none. A syntax tree would not show what macros contain, where
//! a path has the same form as elsewhere.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use std::collections::BTreeSet;

/// What stands before the name of an item.
const ITEM_KEYWORDS: [&str; 8] = [
    "const", "enum", "fn", "mod", "static", "struct", "trait", "type",
];

/// A path that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The segments as written: the first may be `crate`, `self` or `super`, the last may be `*`.
    pub segments: Vec<String>,
    /// The module that names it, below that of the file: empty, or the names of inline modules.
    pub within: Vec<String>,
    /// The line, from 1.
    pub line: usize,
    /// Set for a `pub use` of any visibility: the name that it gives to the item.
    pub re_exported_as: Option<String>,
}

/// A module that a file declares and that has a file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Its file, relative to the folder of the file that declares it, if an attribute says so.
    pub path: Option<String>,
    /// Whether it is compiled for tests only.
    pub for_tests: bool,
}

/// What a file says of other files.
#[derive(Debug, Default)]
pub struct Contents {
    /// All paths outside of tests.
    pub named: Vec<Named>,
    /// The modules in files of their own.
    pub declared: Vec<Declared>,
    /// The names of items that are declared outside of tests, on any level.
    pub items: BTreeSet<String>,
    /// How many lines are tests.
    pub test_lines: usize,
}

/// The text of an attribute `#[path = "..."]` at the end.
fn path_attribute(tokens: &[TokenTree]) -> Option<String> {
    let Some(TokenTree::Group(attribute)) = tokens.last() else {
        return None;
    };
    let text = attribute.stream().to_string();
    let text = text.strip_prefix("path")?.trim_start().strip_prefix('=')?;
    Some(text.trim().trim_matches('"').to_owned())
}

/// Reads a source text. Items under `#[cfg(test)]` are left out.
pub fn read(text: &str) -> Contents {
    let stream: TokenStream = text.parse().expect("rustc has read this file");
    let mut reader = Reader::default();
    reader.stream(stream);
    reader.contents
}

#[derive(Default)]
struct Reader {
    within: Vec<String>,
    contents: Contents,
}

impl Reader {
    fn stream(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = self.step(&tokens, at);
        }
    }

    /// Reads what begins at a token; returns where the next thing begins.
    fn step(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        if let Some(attributes_end) = test_attribute(tokens, at) {
            let next = self.skip_item(tokens, attributes_end);
            let line = |at: usize| {
                let token = &tokens[at];
                (token.span().start().line, token.span().end().line)
            };
            self.contents.test_lines += line(next - 1).1 - line(at).0 + 1;
            return next;
        }
        if let (TokenTree::Ident(word), Some(TokenTree::Ident(name))) =
            (&tokens[at], tokens.get(at + 1))
            && ITEM_KEYWORDS.contains(&word.to_string().as_str())
        {
            self.contents.items.insert(name.to_string());
        }
        match &tokens[at] {
            // `pub(in crate::engine)` is no import.
            TokenTree::Ident(word) if word == "pub" && tokens.get(at + 1).is_some_and(is_group) => {
                at + 2
            }
            TokenTree::Ident(word) if word == "use" => self.use_item(tokens, at),
            TokenTree::Ident(word) if word == "mod" => self.module(tokens, at, false),
            TokenTree::Ident(word) => self.path(tokens, at, word),
            TokenTree::Group(group) => {
                self.stream(group.stream());
                at + 1
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => at + 1,
        }
    }

    /// Skips an item that is there for tests only; a module of its own file is noted.
    fn skip_item(&mut self, tokens: &[TokenTree], mut at: usize) -> usize {
        let mut angles = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(word) if word == "mod" => return self.module(tokens, at, true),
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return at + 1,
                token if is(token, ';') || (is(token, ',') && angles == 0) => return at + 1,
                token if is(token, '<') => angles += 1,
                token if is(token, '>') && !is(&tokens[at - 1], '-') => angles -= 1,
                _ => {}
            }
            at += 1;
        }
        at
    }

    fn module(&mut self, tokens: &[TokenTree], at: usize, for_tests: bool) -> usize {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else {
            return at + 1;
        };
        let name = name.to_string();
        match tokens.get(at + 2) {
            Some(TokenTree::Group(body)) if !for_tests => {
                self.within.push(name);
                self.stream(body.stream());
                self.within.pop();
            }
            Some(token) if is(token, ';') => {
                let path = path_attribute(&tokens[..at]);
                let declared = Declared {
                    name,
                    path,
                    for_tests,
                };
                self.contents.declared.push(declared);
            }
            _ => {}
        }
        (at + 3).min(tokens.len())
    }

    /// `a::b::C` where it is no `use`; a lone word is no path.
    fn path(&mut self, tokens: &[TokenTree], at: usize, word: &Ident) -> usize {
        let mut segments = vec![word.to_string()];
        let mut next = at + 1;
        while let Some(segment) = segment_after_colons(tokens, next) {
            segments.push(segment.to_string());
            next += 3;
        }
        let goes_on = at > 1 && is(&tokens[at - 1], ':') && is(&tokens[at - 2], ':');
        let is_field = at > 0 && is(&tokens[at - 1], '.');
        if segments.len() > 1 && !goes_on && !is_field {
            self.note(segments, word, None);
        }
        next
    }

    fn use_item(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let end = tokens[at..].iter().position(|token| is(token, ';'));
        // `use<'a>` in a type is none.
        let Some(end) = end.filter(|_| !tokens.get(at + 1).is_some_and(|token| is(token, '<')))
        else {
            return at + 1;
        };
        let is_public = match at.checked_sub(1).map(|before| &tokens[before]) {
            Some(TokenTree::Ident(word)) => word == "pub",
            Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
            _ => false,
        };
        self.use_tree(&tokens[at + 1..at + end], &[], is_public);
        at + end + 1
    }

    /// A tree behind a prefix: `a::b`, `a as b`, `a::*`, `a::{..}`.
    fn use_tree(&mut self, tree: &[TokenTree], prefix: &[String], is_public: bool) {
        let mut segments = prefix.to_vec();
        let mut alias = None;
        let mut place = None;
        for (index, token) in tree.iter().enumerate() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    alias = tree.get(index + 1).map(ToString::to_string);
                    break;
                }
                TokenTree::Ident(word) => {
                    segments.push(word.to_string());
                    place = Some(word.span());
                }
                TokenTree::Group(group) => return self.use_group(group, &segments, is_public),
                token if is(token, '*') => {
                    segments.push("*".to_owned());
                    place = Some(token.span());
                }
                _ => {}
            }
        }
        let Some(place) = place else {
            return;
        };
        // `a::{self}` is `a`.
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        let name = alias.or_else(|| segments.last().cloned());
        self.contents.named.push(Named {
            segments,
            within: self.within.clone(),
            line: place.start().line,
            re_exported_as: name.filter(|_| is_public),
        });
    }

    fn use_group(&mut self, group: &Group, prefix: &[String], is_public: bool) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        for tree in tokens.split(|token| is(token, ',')) {
            self.use_tree(tree, prefix, is_public);
        }
    }

    fn note(&mut self, segments: Vec<String>, first: &Ident, re_exported_as: Option<String>) {
        self.contents.named.push(Named {
            segments,
            within: self.within.clone(),
            line: first.span().start().line,
            re_exported_as,
        });
    }
}

/// If attributes begin here, one of which is `#[cfg(test)]` or `#[cfg(all(test, ..))]`: where they end.
fn test_attribute(tokens: &[TokenTree], mut at: usize) -> Option<usize> {
    let mut found = false;
    while let (Some(hash), Some(TokenTree::Group(group))) = (tokens.get(at), tokens.get(at + 1)) {
        if !is(hash, '#') || group.delimiter() != Delimiter::Bracket {
            break;
        }
        let text: String = group.to_string().split_whitespace().collect();
        found |= text == "[cfg(test)]" || text.starts_with("[cfg(all(test,");
        at += 2;
    }
    found.then_some(at)
}

fn segment_after_colons(tokens: &[TokenTree], at: usize) -> Option<&Ident> {
    match tokens.get(at..at + 3)? {
        [first, second, TokenTree::Ident(segment)] if is(first, ':') && is(second, ':') => {
            Some(segment)
        }
        _ => None,
    }
}

fn is_group(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis)
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}
