//! Gas reports for programs: a JSON object.

use super::report::{FunctionGas, FunctionName, GasReport, HostGas};
use crate::messages::json::Writer;
use crate::tool::ToolError;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What the member `format` says.
const FORMAT: &str = "arwendebug gas report 1";

impl GasReport {
    /// The report as a JSON object.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::new();
        self.write(&mut Writer::new(&mut json, false));
        json
    }

    /// Writes the report as an object.
    pub fn write(&self, out: &mut Writer<'_>) {
        out.object(|out| {
            out.member("format", |out| out.text(FORMAT));
            out.member("transactions", |out| out.bare(self.transactions));
            out.member("total", |out| out.bare(self.total));
            for (member, amounts) in [("classes", &self.classes), ("operators", &self.operators)] {
                let amounts = amounts.iter().map(|(name, gas)| (name, gas));
                out.member(member, |out| write_amounts(amounts, out));
            }
            let functions: Vec<_> = self.functions.iter().collect();
            out.member("functions", |out| out.array(&functions, write_function));
        });
    }
}

fn write_amounts<'a>(
    amounts: impl IntoIterator<Item = (&'a String, &'a i128)>,
    out: &mut Writer<'_>,
) {
    out.object(|out| {
        for (name, gas) in amounts {
            out.named_member(name, |out| out.bare(gas));
        }
    });
}

fn write_function((name, gas): &(&FunctionName, &FunctionGas), out: &mut Writer<'_>) {
    out.object(|out| {
        out.member("contract", |out| out.text(&name.contract));
        out.member("function", |out| out.text(&name.function));
        out.member("count", |out| out.bare(gas.count));
        out.member("total", |out| out.bare(gas.total));
        out.member("own", |out| out.bare(gas.own));
        out.member("wasm", |out| write_amounts(&gas.inner, out));
        let hosts: Vec<_> = gas.hosts.iter().collect();
        out.member("hosts", |out| {
            out.array(&hosts, |(name, host), out| {
                out.object(|out| {
                    out.member("name", |out| out.text(name));
                    out.member("count", |out| out.bare(host.count));
                    out.member("gas", |out| out.bare(host.gas));
                });
            });
        });
    });
}

/// Reads a report that [`GasReport::to_json`] has made.
///
/// [`ToolError::Unreadable`] and [`ToolError::NotGasReport`] name the file.
pub fn read_report(file: &Path) -> Result<GasReport, ToolError> {
    let contents = fs::read(file).map_err(|reason| ToolError::unreadable(file, reason))?;
    let refused = |reason: String| ToolError::NotGasReport {
        path: file.to_owned(),
        reason,
    };
    let json: Value =
        serde_json::from_slice(&contents).map_err(|error| refused(error.to_string()))?;
    if json["format"] != FORMAT {
        return Err(refused(format!("its \"format\" is not {FORMAT:?}")));
    }
    report(&json).ok_or_else(|| refused("a member is missing or is not what it should be".into()))
}

fn report(json: &Value) -> Option<GasReport> {
    let functions = json["functions"].as_array()?.iter();
    let functions = functions.map(|function| {
        let name = FunctionName {
            contract: function["contract"].as_str()?.to_owned(),
            function: function["function"].as_str()?.to_owned(),
        };
        Some((name, function_gas(function)?))
    });
    Some(GasReport {
        transactions: json["transactions"].as_u64()?,
        total: amount(&json["total"])?,
        classes: amounts(&json["classes"])?,
        // Not in reports of earlier versions.
        operators: amounts(&json["operators"]).unwrap_or_default(),
        functions: functions.collect::<Option<_>>()?,
    })
}

fn function_gas(function: &Value) -> Option<FunctionGas> {
    let hosts = function["hosts"].as_array()?.iter().map(|host| {
        let gas = HostGas {
            count: host["count"].as_u64()?,
            gas: amount(&host["gas"])?,
        };
        Some((host["name"].as_str()?.to_owned(), gas))
    });
    Some(FunctionGas {
        count: function["count"].as_u64()?,
        total: amount(&function["total"])?,
        own: amount(&function["own"])?,
        // Not in reports of earlier versions.
        inner: { amounts(&function["wasm"]).unwrap_or_default().into_iter() }.collect(),
        hosts: hosts.collect::<Option<_>>()?,
    })
}

/// Amounts with their names.
fn amounts(json: &Value) -> Option<Vec<(String, i128)>> {
    let amounts = json.as_object()?.iter();
    let amounts = amounts.map(|(name, gas)| Some((name.clone(), amount(gas)?)));
    amounts.collect()
}

/// An amount of gas, of any size.
fn amount(json: &Value) -> Option<i128> {
    json.as_number()?.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> GasReport {
        let host = HostGas { count: 2, gas: -3 };
        let gas = FunctionGas {
            count: 1,
            total: i128::from(u64::MAX) * 2,
            own: 5,
            inner: [("add".to_owned(), 5)].into(),
            hosts: [("env.finish".to_owned(), host)].into(),
        };
        let name = FunctionName {
            contract: "a\"b".to_owned(),
            function: "f".to_owned(),
        };
        GasReport {
            transactions: 1,
            total: 7,
            classes: vec![("wasm".to_owned(), 7)],
            operators: vec![("calls".to_owned(), 7)],
            functions: [(name, gas)].into(),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a");
        fs::write(&file, example().to_json()).expect("written");
        assert_eq!(read_report(&file).expect("a report"), example());
    }

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a");
        let good = String::from_utf8(example().to_json()).expect("text");
        for (bad, expected) in [
            ("".to_owned(), "EOF"),
            ("[]".to_owned(), "its \"format\" is not"),
            (
                good.replace("report 1", "report 2"),
                "its \"format\" is not",
            ),
            (good.replace("\"own\":5", "\"own\":5.5"), "a member"),
            (good.replace("\"count\":2,", ""), "a member"),
        ] {
            fs::write(&file, bad).expect("written");
            let error = read_report(&file).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
