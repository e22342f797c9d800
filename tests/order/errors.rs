//! What errors say.

use crate::sources::Sources;
use std::fs;
use std::path::Path;
use syn::visit::{self, Visit};
use syn::{Attribute, Fields};

/// An error prints the error behind it or returns it as its source, not both: whoever prints an error with its sources would
/// read it twice.
#[test]
fn an_error_prints_its_source_or_returns_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Errors::default();
    for file in Sources::of_the_project().0.values() {
        let text = fs::read_to_string(root.join(&file.path)).expect("a source file");
        found.file.clone_from(&file.path);
        found.visit_file(&syn::parse_file(&text).expect("Rust"));
    }
    assert!(
        found.sources > 10,
        "only {} sources were found",
        found.sources
    );
    assert!(
        found.twice.is_empty(),
        "printed and returned:\n{}",
        found.twice.join("\n")
    );
}

#[test]
fn what_is_printed_and_returned_is_found() {
    let text = r##"
        #[derive(Error)]
        enum Mixed {
            #[error("one: {0}")]
            Tuple(#[source] io::Error),
            #[error("two: {source:?}")]
            Named { path: String, source: io::Error },
            #[error("three: {}", .0)]
            Argument(#[from] io::Error),
            #[error("four: {path}")]
            Fine { path: String, source: io::Error },
            #[error(transparent)]
            Through(#[from] io::Error),
            #[error("five: {0}")]
            Printed(io::Error),
        }"##;
    let mut found = Errors::default();
    found.visit_file(&syn::parse_file(text).expect("Rust"));
    assert_eq!(found.twice, [": Tuple", ": Named", ": Argument"]);
}

#[derive(Default)]
struct Errors {
    file: String,
    sources: usize,
    twice: Vec<String>,
}

impl Errors {
    fn check(&mut self, name: &syn::Ident, attributes: &[Attribute], fields: &Fields) {
        let printed = attributes
            .iter()
            .find(|attribute| attribute.path().is_ident("error"));
        let Some(Ok(printed)) = printed.map(|attribute| attribute.meta.require_list()) else {
            return;
        };
        let printed = printed.tokens.to_string();
        for (index, field) in fields.iter().enumerate() {
            let marked = |name| {
                field
                    .attrs
                    .iter()
                    .any(|attribute| attribute.path().is_ident(name))
            };
            let name_of_field = field.ident.as_ref().map(ToString::to_string);
            if !marked("source") && !marked("from") && name_of_field.as_deref() != Some("source") {
                continue;
            }
            self.sources += 1;
            let place = name_of_field.unwrap_or(index.to_string());
            let ways = [
                format!("{{{place}}}"),
                format!("{{{place}:"),
                format!(". {place}"),
                format!(".{place}"),
            ];
            if ways.iter().any(|way| printed.contains(way)) {
                self.twice.push(format!("{}: {name}", self.file));
            }
        }
    }
}

impl Visit<'_> for Errors {
    fn visit_item_enum(&mut self, item: &syn::ItemEnum) {
        for variant in &item.variants {
            self.check(&variant.ident, &variant.attrs, &variant.fields);
        }
        visit::visit_item_enum(self, item);
    }

    fn visit_item_struct(&mut self, item: &syn::ItemStruct) {
        self.check(&item.ident, &item.attrs, &item.fields);
        visit::visit_item_struct(self, item);
    }
}
