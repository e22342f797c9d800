use super::{GasKey, GasScheduleError, GasScheduleFile, SECTIONS, flat_gas_schedule};
use crate::messages::codec::{self, Format};
use crate::messages::{Arguments, GasSectionEntry, Initialize};
use std::collections::BTreeMap;

const FILE: &str = include_str!("../../docs/spec/gas_schedule.toml");

/// Sorted, like the maps that Go encodes.
type Schedule<'a> = BTreeMap<&'a str, BTreeMap<&'a str, u64>>;

fn read(text: &str) -> Result<GasScheduleFile, GasScheduleError> {
    text.parse()
}

/// The missing and the bad entries of a text, as printed, and the message.
fn faults(text: &str) -> (Vec<String>, Vec<String>, String) {
    let error = read(text).expect_err("not a schedule");
    let message = error.to_string();
    let GasScheduleError::Costs { missing, bad, .. } = error else {
        panic!("{error:?}");
    };
    let missing = missing.iter().map(GasKey::to_string).collect();
    (
        missing,
        bad.iter().map(ToString::to_string).collect(),
        message,
    )
}

/// The fixture, parsed line by line.
fn by_lines() -> Schedule<'static> {
    let mut schedule = Schedule::new();
    let mut section = "";
    for line in FILE.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, cost)) = line.split_once('=') {
            let cost = cost.trim().replace('_', "");
            let costs = schedule.entry(section).or_default();
            costs.insert(key.trim(), cost.parse().expect("a number"));
        }
    }
    schedule
}

#[test]
fn what_a_file_says_is_sent_as_go_sends_it() {
    let schedule = read(FILE).expect("a schedule").entries;
    let arguments = Arguments {
        gas_schedule: schedule,
        ..Arguments::default()
    };
    let message = Initialize {
        arguments: Some(arguments),
    };
    let mut frame = Vec::new();
    codec::encode(Format::Json, 0, "", &message, &mut frame).expect("it fits");
    let sent = String::from_utf8_lossy(&frame);
    let expected = serde_json::to_string(&by_lines()).expect("JSON");
    assert!(
        sent.contains(&format!("\"GasSchedule\":{expected}")),
        "{sent}"
    );
    assert!(expected.len() > 10_000, "{expected}");
}

#[test]
fn unknown_names_are_noted() {
    let unknown = read(FILE).expect("a schedule").unknown;
    let expected = [
        GasKey::new("BigIntAPICost", Some("BigIntByteLength")),
        GasKey::new("BigIntAPICost", Some("BigIntGetArgument")),
        GasKey::new("BigIntAPICost", Some("BigIntGetBytes")),
        GasKey::new("BigIntAPICost", Some("BigIntSetBytes")),
        GasKey::new("BuiltInCost", None),
        GasKey::new("MetaChainSystemSCsCost", None),
    ];
    assert_eq!(unknown, expected);
}

#[test]
fn every_missing_cost_is_named() {
    let line = |key: &str| format!("\n{key} = ");
    for section in SECTIONS {
        let start = FILE.find(&format!("[{}]", section.name)).expect("there");
        let (before, after) = FILE.split_at(start);
        for key in section.keys {
            let (kept, cut) = after.split_once(&line(key)).expect("there");
            let (_, rest) = cut.split_once('\n').expect("a line");
            let (missing, bad, message) = faults(&format!("{before}{kept}\n{rest}"));
            let name = format!("{}.{key}", section.name);
            assert_eq!((&missing, &bad), (&vec![name.clone()], &vec![]));
            assert!(message.contains(&name), "{message}");
        }
    }
    let (missing, ..) = faults(&FILE.replace("[WASMOpcodeCost]", "[Other]"));
    assert_eq!(missing, ["the section WASMOpcodeCost"]);
    let (missing, ..) = faults("");
    assert_eq!(missing.len(), SECTIONS.len());
}

#[test]
fn a_misspelt_key_is_told_beside_the_missing_one() {
    let (missing, _, message) = faults(&FILE.replace("PersistPerByte", "PersitPerByte"));
    assert_eq!(missing, ["BaseOperationCost.PersistPerByte"]);
    assert_eq!(
        message,
        "the gas schedule can't be used: no cost for BaseOperationCost.PersistPerByte; unknown names: \
         BaseOperationCost.PersitPerByte, BigIntAPICost.BigIntByteLength, BigIntAPICost.BigIntGetArgument, \
         BigIntAPICost.BigIntGetBytes, BigIntAPICost.BigIntSetBytes, the section BuiltInCost, \
         the section MetaChainSystemSCsCost"
    );
}

#[test]
fn bad_values_are_named_with_their_place() {
    let line = FILE.lines().position(|line| line.contains("StorePerByte"));
    let line = line.expect("there") + 1;
    for value in [
        "\"7\"",
        "0",
        "-3",
        "1.5",
        "true",
        "[1]",
        "9223372036854775808",
        "{ a = 1 }",
    ] {
        let original = by_lines()["BaseOperationCost"]["StorePerByte"];
        let from = format!("\nStorePerByte = {original}\n");
        let (missing, bad, message) =
            faults(&FILE.replacen(&from, &format!("\nStorePerByte = {value}\n"), 1));
        let expected = format!(
            "BaseOperationCost.StorePerByte = {value} (line {line}) is not an integer from 1 to 2^63 - 1"
        );
        assert_eq!((missing, bad), (vec![], vec![expected.clone()]));
        assert!(message.ends_with(&expected), "{message}");
    }
    let (missing, bad, _) = faults(&format!(
        "EthAPICost = 5\n{}",
        FILE.replace("EthAPICost", "Other")
    ));
    assert_eq!(missing, Vec::<String>::new());
    assert_eq!(bad, ["EthAPICost = 5 (line 1) is not a table of costs"]);
    let error = read(
        "
[BaseOperationCost",
    )
    .expect_err("not TOML");
    let syntax = matches!(error, GasScheduleError::Syntax { line: 2, .. });
    assert!(syntax, "{error:?}");
}

#[test]
fn numbers_and_names_as_the_virtual_machine_reads_them() {
    let original = by_lines()["BaseOperationCost"]["StorePerByte"];
    let from = format!("StorePerByte = {original}");
    let cost = |text: &str| {
        let file = read(text).expect("a schedule");
        let section = SECTIONS[0].find(&file.entries).expect("a section");
        (
            SECTIONS[0].cost(&section.value, "StorePerByte"),
            file.unknown.len(),
        )
    };
    assert_eq!(
        cost(&FILE.replacen(&from, "sTOREpERbYTE = 0x1_0", 1)),
        (16, 6)
    );
    // The exact match counts; the other one is not read.
    let both = "StorePerByte = 5\nstoreperbyte = 6";
    assert_eq!(cost(&FILE.replacen(&from, both, 1)), (5, 7));
    // The name in nodes of the original chain.
    assert_eq!(cost(&FILE.replace("Kalyan3104", "Elrond")).1, 6);
    // The low 32 bits of this cost are zero.
    let wide = FILE.replacen("\nNop = ", "\nNop = 0x100000000 #", 1);
    assert_eq!(faults(&wide).0, ["WASMOpcodeCost.Nop"]);
}

#[test]
fn a_flat_schedule_has_every_cost() {
    let schedule = flat_gas_schedule(3, 7);
    let lock = |entry: &GasSectionEntry| entry.value.iter().filter(|cost| cost.value == 7).count();
    assert_eq!(schedule.iter().map(lock).sum::<usize>(), 1);
    for section in SECTIONS {
        let costs = &section.find(&schedule).expect("a section").value;
        assert!(section.keys.iter().all(|key| section.cost(costs, key) >= 3));
        assert_eq!(costs.len(), section.keys.len());
    }
}
