//! What two gas reports have different: the gas of a call of each function.

use super::report::{FunctionGas, FunctionName, GasReport};
use crate::escape::escape_line;
use crate::messages::json::Writer;
use std::collections::BTreeSet;
use std::fmt;

/// The comparison of an older report with a newer one.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The most that a call of a function may have become dearer, in per cent.
    pub threshold: f64,
    /// The functions that differ.
    pub changes: Vec<Change>,
    /// How many functions cost the same.
    pub same: usize,
}

/// A function that costs something else, or that is only in one of the reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The contract, as it is typed.
    pub contract: String,
    /// The function.
    pub function: String,
    /// Units of gas for a call in the older report, on average.
    pub old: Option<f64>,
    /// The same in the newer one.
    pub new: Option<f64>,
}

impl Change {
    /// By how much a call is dearer now, in per cent; none if it is in one report only.
    pub fn percent(&self) -> Option<f64> {
        match (self.old?, self.new?) {
            (0.0, _) => Some(f64::INFINITY),
            (old, new) => Some(100.0 * (new - old) / old),
        }
    }
}

impl Difference {
    /// Compares two reports; `threshold` in per cent.
    pub fn of(old: &GasReport, new: &GasReport, threshold: f64) -> Difference {
        let names: BTreeSet<_> = old.functions.keys().chain(new.functions.keys()).collect();
        let all = names.len();
        let changes: Vec<_> = names
            .into_iter()
            .filter_map(|name| change(name, old, new))
            .collect();
        Difference {
            threshold,
            same: all - changes.len(),
            changes,
        }
    }

    /// Whether no function is dearer by more than the threshold.
    pub fn is_within(&self) -> bool {
        !self.changes.iter().any(|change| self.is_above(change))
    }

    fn is_above(&self, change: &Change) -> bool {
        change
            .percent()
            .is_some_and(|percent| percent > self.threshold)
    }

    /// The comparison as a JSON object.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::new();
        Writer::new(&mut json, false).object(|out| {
            out.member("within", |out| out.bare(self.is_within()));
            out.member("threshold", |out| out.bare(self.threshold));
            out.member("same", |out| out.bare(self.same));
            out.member("changes", |out| {
                out.array(&self.changes, |change, out| {
                    out.object(|out| {
                        out.member("contract", |out| out.text(&change.contract));
                        out.member("function", |out| out.text(&change.function));
                        out.member("above", |out| out.bare(self.is_above(change)));
                        let amounts = [("old", change.old), ("new", change.new)];
                        for (name, gas) in amounts {
                            if let Some(gas) = gas {
                                out.member(name, |out| out.bare(gas));
                            }
                        }
                    });
                });
            });
        });
        json
    }
}

fn change(name: &FunctionName, old: &GasReport, new: &GasReport) -> Option<Change> {
    let (old, new) = (old.functions.get(name), new.functions.get(name));
    if let (Some(old), Some(new)) = (old, new) {
        let counts = (i128::from(old.count), i128::from(new.count));
        if old.total.saturating_mul(counts.1) == new.total.saturating_mul(counts.0) {
            return None;
        }
    }
    let average = |gas: &FunctionGas| gas.total as f64 / gas.count.max(1) as f64;
    Some(Change {
        contract: name.contract.clone(),
        function: name.function.clone(),
        old: old.map(average),
        new: new.map(average),
    })
}

/// A line for each function that differs, and a summary; without a newline at the end.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            let name = format!("{}.{}", change.contract, change.function);
            let amount = |gas: Option<f64>| {
                gas.map_or_else(|| "not called".to_owned(), |gas| rounded(gas).to_string())
            };
            let (old, new) = (amount(change.old), amount(change.new));
            write!(f, "{:<40} {old:>12} -> {new:<12}", escape_line(&name))?;
            if let Some(percent) = change.percent() {
                write!(f, "{percent:>+7.1} %")?;
            }
            let mark = match self.is_above(change) {
                true => "  above the threshold",
                false => "",
            };
            writeln!(f, "{mark}")?;
        }
        let above = self.changes.iter().filter(|change| self.is_above(change));
        write!(
            f,
            "{} functions: {} the same, {} changed, {} by more than +{} %",
            self.same + self.changes.len(),
            self.same,
            self.changes.len(),
            above.count(),
            self.threshold
        )
    }
}

/// With one digit behind the point.
fn rounded(gas: f64) -> f64 {
    (gas * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(functions: &[(&str, u64, i128)]) -> GasReport {
        let functions = functions.iter().map(|(name, count, total)| {
            let gas = FunctionGas {
                count: *count,
                total: *total,
                ..FunctionGas::default()
            };
            let name = FunctionName {
                contract: "a".to_owned(),
                function: (*name).to_owned(),
            };
            (name, gas)
        });
        GasReport {
            functions: functions.collect(),
            ..GasReport::default()
        }
    }

    #[test]
    fn calls_are_compared_whatever_their_number() {
        let old = report(&[
            ("dearer", 1, 100),
            ("gone", 1, 5),
            ("same", 2, 20),
            ("cheaper", 1, 10),
        ]);
        let new = report(&[
            ("dearer", 2, 210),
            ("new", 1, 7),
            ("same", 3, 30),
            ("cheaper", 1, 9),
        ]);
        let within = |threshold| Difference::of(&old, &new, threshold).is_within();
        assert!(within(5.0) && !within(4.9));
        let expected = "\
a.cheaper                                          10 -> 9             -10.0 %
a.dearer                                          100 -> 105            +5.0 %  above the threshold
a.gone                                              5 -> not called  
a.new                                      not called -> 7           
5 functions: 1 the same, 4 changed, 1 by more than +2.5 %";
        assert_eq!(Difference::of(&old, &new, 2.5).to_string(), expected);
    }

    #[test]
    fn what_was_free_is_dearer_without_a_bound() {
        let (old, new) = (report(&[("f", 1, 0)]), report(&[("f", 1, 1)]));
        assert!(!Difference::of(&old, &new, 1e9).is_within());
        assert!(Difference::of(&old, &old, 0.0).is_within());
    }
}
