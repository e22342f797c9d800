//! docs/spec/ against itself and against the code: every link and citation leads somewhere, every quirk has a test, and
//! no table says something else than the code.

mod citations;
mod fields;
mod links;
mod markdown;
mod quirks;
mod sources;
mod tables;
