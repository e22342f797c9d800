//! Shows an inspection to people, and to programs as JSON.

use super::{Fault, Function, Import, Inspection, STACK_SLOTS, deepest_recursion};
use crate::escape::escape_line;
use crate::messages::json::Writer;
use std::fmt::{self, Display, Formatter};

/// How many functions are listed: those that take most of the stack.
const LISTED_FUNCTIONS: usize = 20;

impl Display for Inspection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} bytes of wasm", self.bytes)?;
        self.show_verdict(f)?;
        writeln!(f, "\nsections")?;
        for section in &self.sections {
            writeln!(
                f,
                "  {:<24} {:>9} bytes",
                escape_line(&section.name),
                section.bytes
            )?;
        }
        writeln!(f, "\nimports")?;
        for import in &self.imports {
            writeln!(f, "  {}", shown(import))?;
        }
        writeln!(f, "\nexports")?;
        for export in &self.exports {
            let name = escape_line(&export.name);
            let note = match export.can_be_called {
                true => "",
                false if export.signature.starts_with('(') => {
                    "  can't be called: it takes or returns values"
                }
                false => "",
            };
            writeln!(f, "  {name} {}{note}", export.signature)?;
        }
        writeln!(f, "\nmemory")?;
        match self.memory {
            None => writeln!(f, "  none")?,
            Some(memory) => {
                let most = memory.maximum_pages;
                let most = most.map_or("without a maximum".to_owned(), |most| {
                    format!("at most {most}")
                });
                let initial = memory.initial_pages;
                writeln!(f, "  {initial} pages of 64 KiB at first, {most}")?;
            }
        }
        self.show_functions(f)?;
        writeln!(f, "\ngas")?;
        match self.deploy_gas {
            Some(gas) => write!(f, "  deploy: {gas}, and what `init` uses"),
            None => write!(f, "  deploy: unknown, the schedule lacks a cost"),
        }
    }
}

impl Inspection {
    fn show_verdict(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_accepted() {
            writeln!(f, "accepted: it can be deployed")?;
        } else {
            writeln!(f, "refused: it can't be deployed")?;
        }
        for fault in &self.faults {
            writeln!(f, "  {}", shown_fault(fault))?;
        }
        if !self.is_accepted() && self.can_be_called {
            writeln!(f, "  code like this that is already stored can be called")?;
        }
        if self.has_start_function {
            writeln!(f, "  it has a start function, which must not fail")?;
        }
        Ok(())
    }

    /// The functions that take most of the stack first.
    fn show_functions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nfunctions, of {STACK_SLOTS} stack slots")?;
        let mut functions: Vec<&Function> = self.functions.iter().collect();
        functions.sort_by_key(|function| std::cmp::Reverse(function.stack_slots));
        for function in functions.iter().take(LISTED_FUNCTIONS) {
            let label = function.label();
            let bytes = function.body.end - function.body.start;
            write!(f, "  {:<32} {bytes:>7} bytes", escape_line(&label))?;
            match function.stack_slots {
                None => writeln!(f)?,
                Some(slots) => {
                    let depth = deepest_recursion(slots);
                    writeln!(f, " {slots:>6} slots, at most {depth} calls of itself")?;
                }
            }
        }
        match functions.len().saturating_sub(LISTED_FUNCTIONS) {
            0 => Ok(()),
            more => writeln!(f, "  and {more} that take no more"),
        }
    }

    /// Everything, as a JSON object.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::new();
        Writer::new(&mut json, false).object(|out| {
            out.member("bytes", |out| out.bare(self.bytes));
            out.member("accepted", |out| out.bare(self.is_accepted()));
            out.member("canBeCalled", |out| out.bare(self.can_be_called));
            out.member("hasStartFunction", |out| out.bare(self.has_start_function));
            out.member("faults", |out| out.array(&self.faults, write_fault));
            out.member("sections", |out| {
                out.array(&self.sections, |section, out| {
                    out.object(|out| {
                        out.member("name", |out| out.text(&section.name));
                        out.member("bytes", |out| out.bare(section.bytes));
                    });
                });
            });
            out.member("imports", |out| out.array(&self.imports, write_import));
            out.member("exports", |out| {
                out.array(&self.exports, |export, out| {
                    out.object(|out| {
                        out.member("name", |out| out.text(&export.name));
                        out.member("signature", |out| out.text(&export.signature));
                        out.member("canBeCalled", |out| out.bare(export.can_be_called));
                    });
                });
            });
            self.write_memory(out);
            out.member("stackSlots", |out| out.bare(STACK_SLOTS));
            out.member("functions", |out| {
                out.array(&self.functions, write_function)
            });
            out.member("deployGas", |out| optional(out, self.deploy_gas));
        });
        json
    }

    fn write_memory(&self, out: &mut Writer<'_>) {
        out.member("memory", |out| match self.memory {
            None => out.literal("null"),
            Some(memory) => out.object(|out| {
                out.member("initialPages", |out| out.bare(memory.initial_pages));
                out.member("maximumPages", |out| optional(out, memory.maximum_pages));
            }),
        });
    }
}

fn optional(out: &mut Writer<'_>, number: Option<impl Display>) {
    match number {
        None => out.literal("null"),
        Some(number) => out.bare(number),
    }
}

fn optional_text(out: &mut Writer<'_>, text: Option<&str>) {
    match text {
        None => out.literal("null"),
        Some(text) => out.text(text),
    }
}

fn shown(import: &Import) -> String {
    let name = format!("{}.{} {}", import.namespace, import.name, import.signature);
    let name = escape_line(&name);
    match (&import.host_signature, import.gas) {
        (None, _) => format!("{name}  UNKNOWN: there is no such host function"),
        (Some(host), _) if !import.is_known() => {
            format!("{name}  WRONG: the host function is {host}")
        }
        (_, None) => format!("{name}  free"),
        (_, Some((key, cost))) => format!("{name}  gas {key} = {cost}"),
    }
}

fn shown_fault(fault: &Fault) -> String {
    let text = match (&fault.function, fault.offset) {
        (Some(function), Some(offset)) => {
            format!("function {function}, byte {offset}: {}", fault.text)
        }
        (None, Some(offset)) => format!("byte {offset}: {}", fault.text),
        _ => fault.text.clone(),
    };
    escape_line(&text).into_owned()
}

fn write_fault(fault: &Fault, out: &mut Writer<'_>) {
    out.object(|out| {
        out.member("text", |out| out.text(&fault.text));
        out.member("function", |out| {
            optional_text(out, fault.function.as_deref())
        });
        out.member("offset", |out| optional(out, fault.offset));
    });
}

fn write_import(import: &Import, out: &mut Writer<'_>) {
    out.object(|out| {
        out.member("namespace", |out| out.text(&import.namespace));
        out.member("name", |out| out.text(&import.name));
        out.member("signature", |out| out.text(&import.signature));
        out.member("known", |out| out.bare(import.is_known()));
        out.member("hostSignature", |out| {
            optional_text(out, import.host_signature.as_deref())
        });
        out.member("gasKey", |out| {
            optional_text(out, import.gas.map(|(key, _)| key))
        });
        out.member("gas", |out| optional(out, import.gas.map(|(_, cost)| cost)));
    });
}

fn write_function(function: &Function, out: &mut Writer<'_>) {
    out.object(|out| {
        out.member("index", |out| out.bare(function.index));
        out.member("name", |out| optional_text(out, function.name.as_deref()));
        out.member("offset", |out| out.bare(function.body.start));
        out.member("bytes", |out| {
            out.bare(function.body.end - function.body.start)
        });
        out.member("stackSlots", |out| optional(out, function.stack_slots));
    });
}
