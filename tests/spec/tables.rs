//! The tables of docs/spec/ against the code and against each other.

use crate::markdown::{section, table};
use crate::sources::read;
use arwen::gas_schedule::flat_gas_schedule;
use arwen::internal::transport::descriptors::ChildPipe;
use arwen::messages::{MessageKind, ReturnCode, Role, kind_name};
use toml::de::DeTable;

/// The three schedules of docs/spec/gas_costs.csv.
#[derive(Debug, Clone, Copy)]
enum Schedule {
    Tests,
    ConfigToml,
    GasScheduleToml,
}

/// A row of docs/spec/gas_costs.csv.
struct Cost {
    section: String,
    key: String,
    /// Not in a file only: the VM reads it.
    used: bool,
    /// In the order of [`Schedule`]; none where a schedule lacks the key.
    costs: [Option<u64>; 3],
}

impl Cost {
    fn in_schedule(&self, schedule: Schedule) -> Option<u64> {
        self.costs[schedule as usize]
    }
}

fn costs() -> Vec<Cost> {
    let text = read("docs/spec/gas_costs.csv");
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("section,key,type,tests,config_toml,gas_schedule_toml")
    );
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let [section, key, kind, costs @ ..] = cells.as_slice() else {
            panic!("{line}");
        };
        let costs = costs.iter().map(|cost| match *cost {
            "" => None,
            cost => Some(cost.parse().expect(line)),
        });
        Cost {
            section: (*section).to_owned(),
            key: (*key).to_owned(),
            used: *kind != "ignored by the VM",
            costs: costs.collect::<Vec<_>>().try_into().expect(line),
        }
    });
    rows.collect()
}

fn role(kind: MessageKind) -> String {
    match kind.role() {
        Some(Role::Request(response)) => {
            format!("request, answered by {}", kind_name(response.wire()))
        }
        Some(Role::Response) => "response".to_owned(),
        Some(Role::HookRequest(response)) => {
            format!("hook call, answered by {}", kind_name(response.wire()))
        }
        Some(Role::HookResponse) => "hook answer".to_owned(),
        Some(Role::Control) => "outside of a dialogue".to_owned(),
        None => "never sent".to_owned(),
    }
}

#[test]
fn the_kinds_are_those_of_the_schema() {
    let page = read("docs/spec/wire.md");
    let kinds = table(section(&page, "Kinds"));
    let codes: Vec<_> = (0..).map_while(MessageKind::from_wire).collect();
    assert_eq!(kinds.len(), codes.len());
    for (row, kind) in kinds.iter().zip(codes) {
        let number = kind.wire();
        let expected = [number.to_string(), kind_name(number), role(kind)];
        assert_eq!(*row, expected);
    }
}

#[test]
fn the_return_codes_are_those_of_the_page() {
    let page = read("docs/spec/host.md");
    let rows = table(section(&page, "Return codes"));
    let codes: Vec<_> = (0..)
        .map_while(|code| ReturnCode::try_from(code).ok())
        .collect();
    assert_eq!(rows.len(), codes.len());
    for (row, code) in rows.iter().zip(codes) {
        assert_eq!(row[0], (code as i32).to_string());
        assert_eq!(row[1], format!("{code:?}"));
        // The last one has a text here only.
        if code != ReturnCode::UpgradeFailed {
            assert_eq!(row[2], code.to_string());
        }
    }
}

#[test]
fn the_pipes_are_those_of_the_page() {
    let page = read("docs/spec/wire.md");
    let rows = table(section(&page, "Pipes"));
    let (_, rows) = rows.split_first().expect("stdin, stdout and stderr");
    assert_eq!(rows.len(), ChildPipe::ALL.len());
    for (row, pipe) in rows.iter().zip(ChildPipe::ALL) {
        let direction = match pipe.is_read_by_arwen() {
            true => "node to child",
            false => "child to node",
        };
        let name = format!("`{}`", pipe.name());
        assert_eq!(row[..3], [&pipe.descriptor().to_string(), &name, direction]);
    }
}

#[test]
fn the_sections_of_the_schedule_have_as_many_keys_as_the_page_says() {
    let page = read("docs/spec/gas.md");
    let costs = costs();
    let mut keys = 0;
    for row in table(section(&page, "Schedule")) {
        let section = row[0].trim_matches('`');
        let count = costs
            .iter()
            .filter(|cost| cost.used && cost.section == section)
            .count();
        assert_eq!(row[1], count.to_string(), "{section}");
        keys += count;
    }
    let used = costs.iter().filter(|cost| cost.used).count();
    assert_eq!((keys, used, costs.len()), (560, 560, 575));
}

/// In the order of the code, with the costs that the tests of the reference use.
#[test]
fn the_keys_of_the_code_are_those_of_the_table() {
    let mut code = Vec::new();
    for section in flat_gas_schedule(1, 100_000) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let costs = section.value.iter();
        code.extend(costs.map(|cost| (text(&section.key), text(&cost.key), Some(cost.value))));
    }
    let used = costs().into_iter().filter(|row| row.used);
    let table = used.map(|row| {
        let cost = row.in_schedule(Schedule::Tests);
        (row.section, row.key, cost)
    });
    assert_eq!(code, table.collect::<Vec<_>>());
}

/// Quirk 23: config.toml lacks a key, and has a misspelt one in its place.
#[test]
fn the_schedules_lack_what_the_page_says() {
    let lacking = |schedule| {
        let costs = costs().into_iter().filter(|row| row.used);
        let lacking = costs.filter(move |row| row.in_schedule(schedule).is_none());
        lacking.map(|row| row.key).collect::<Vec<_>>()
    };
    assert_eq!(lacking(Schedule::Tests), [""; 0]);
    assert_eq!(lacking(Schedule::ConfigToml), ["PersistPerByte"]);
    assert_eq!(lacking(Schedule::GasScheduleToml), [""; 0]);
}

#[test]
fn the_schedule_of_a_node_is_that_of_the_table() {
    let text = read("docs/spec/gas_schedule.toml");
    let toml = DeTable::parse(&text).expect("TOML");
    let mut rows = 0;
    for (section, keys) in toml.get_ref() {
        let section = section.get_ref();
        for (key, cost) in keys.get_ref().as_table().expect(section) {
            let key = key.get_ref();
            let found = costs()
                .into_iter()
                .find(|row| row.section == *section && row.key == *key);
            let found = found.and_then(|row| row.in_schedule(Schedule::GasScheduleToml));
            let cost = cost
                .get_ref()
                .as_integer()
                .and_then(|cost| cost.as_str().parse().ok());
            assert_eq!(found, cost, "{section}.{key}");
            assert!(cost.is_some(), "{section}.{key}");
            rows += 1;
        }
    }
    let costs = costs();
    let expected = costs
        .iter()
        .filter_map(|row| row.in_schedule(Schedule::GasScheduleToml));
    assert_eq!(rows, expected.count());
}
