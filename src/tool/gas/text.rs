//! Gas reports for people.

use super::report::GasReport;
use crate::escape::escape_line;
use std::cmp::Reverse;
use std::fmt;

/// The most lines for the functions of a module. The JSON has all.
const MOST_AMOUNTS: usize = 10;

/// The lines of the report, without a newline at the end. What has used most stands first.
impl fmt::Display for GasReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = format!("gas of {} transactions", self.transactions);
        write!(f, "{head:<40}{:>8}{:>14}{:>9}", "calls", "gas", "share")?;
        for (name, gas) in self.classes.iter().filter(|(_, gas)| *gas != 0) {
            self.row(f, &format!("  {name}"), None, *gas)?;
            if name == "wasm" {
                let operators = self.operators.iter();
                self.amounts(f, "    ", operators.map(|(name, gas)| (name, gas)))?;
            }
        }
        let mut functions: Vec<_> = self.functions.iter().collect();
        functions.sort_by_key(|(_, gas)| Reverse(gas.total));
        for (name, gas) in functions {
            let function = format!("{}.{}", name.contract, name.function);
            self.row(f, &function, Some(gas.count), gas.total)?;
            if gas.own != gas.total {
                self.row(f, "  without calls inside of it", None, gas.own)?;
            }
            // One function alone says nothing new.
            if gas.inner.len() > 1 {
                self.amounts(f, "  ", &gas.inner)?;
            }
            let mut hosts: Vec<_> = gas.hosts.iter().collect();
            hosts.sort_by_key(|(_, host)| Reverse(host.gas));
            for (name, host) in hosts {
                self.row(f, &format!("  {name}"), Some(host.count), host.gas)?;
            }
        }
        Ok(())
    }
}

impl GasReport {
    /// The largest amounts, and the sum of the others.
    fn amounts<'a>(
        &self,
        f: &mut fmt::Formatter<'_>,
        indent: &str,
        amounts: impl IntoIterator<Item = (&'a String, &'a i128)>,
    ) -> fmt::Result {
        let mut amounts: Vec<_> = amounts.into_iter().collect();
        amounts.sort_by_key(|(_, gas)| Reverse(**gas));
        let shown = match amounts.len() {
            ..=MOST_AMOUNTS => amounts.len(),
            _ => MOST_AMOUNTS - 1,
        };
        for (name, gas) in &amounts[..shown] {
            self.row(f, &format!("{indent}{name}"), None, **gas)?;
        }
        let others = &amounts[shown..];
        if !others.is_empty() {
            let gas = others.iter().map(|(_, gas)| **gas).sum();
            self.row(f, &format!("{indent}{} others", others.len()), None, gas)?;
        }
        Ok(())
    }

    fn row(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        count: Option<u64>,
        gas: i128,
    ) -> fmt::Result {
        let count = count.map_or_else(String::new, |count| count.to_string());
        let share = match self.total {
            0 => 0.0,
            total => 100.0 * gas as f64 / total as f64,
        };
        let name = escape_line(name);
        write!(f, "\n{name:<40}{count:>8}{gas:>14}{share:>7.1} %")
    }
}
