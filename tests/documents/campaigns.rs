//! The figures of docs/reliability.md: R1 to R17 each have a row, whose last column is the sum of all campaigns so far. These are
//! the rows of docs/campaigns.tsv and, for fuzzing, of fuzz/totals.tsv. After a campaign has added to them:
//!
//! ```sh
//! ARWEN_BLESS=1 cargo test --release --no-default-features --test documents campaigns
//! ```

use crate::markdown::root;
use std::collections::BTreeMap;
use std::fs;

const PAGE: &str = "docs/reliability.md";
const CAMPAIGNS: &str = "docs/campaigns.tsv";
const FUZZING: &str = "fuzz/totals.tsv";

const FIGURES: usize = 17;

const CAMPAIGN_COLUMNS: &str = "date\tcommit\tfigure\tcount\tunit\twrong\tcommand";
const FUZZING_COLUMNS: &str =
    "date\tcommit\ttarget\tsanitizer\tseconds\texecutions\tcoverage edges\tcorpus files\tfindings";

/// The fuzz targets of a figure. All others are of the virtual machine, or count nowhere.
const TARGETS: [(&str, &[&str]); 4] = [
    ("R1", &["frame_decoder", "frame_round_trip"]),
    (
        "R2",
        &["json_messages", "protobuf_messages", "codec_agreement"],
    ),
    ("R3", &["dialogue", "part_loop", "driver_loop"]),
    (
        "R4",
        &[
            "wasm_modules",
            "host_functions",
            "compile_bombs",
            "module_files",
        ],
    ),
];

/// The campaigns of a figure, all together.
#[derive(Default)]
struct Sum {
    /// By unit, in the order of the file.
    counts: Vec<(String, u64)>,
    /// What was wrong, and what it is called.
    wrong: u64,
    are_findings: bool,
}

impl Sum {
    fn add(&mut self, count: u64, unit: &str) {
        // Latencies and shares do not add up: the longest one counts, and the newest one.
        match self.counts.iter_mut().find(|(known, _)| known == unit) {
            Some((_, sum)) if is_latency(unit) => *sum = count.max(*sum),
            Some((_, sum)) if is_share(unit) => *sum = count,
            Some((_, sum)) => *sum += count,
            None => self.counts.push((unit.to_owned(), count)),
        }
    }

    /// As it stands in the table.
    fn text(&self) -> String {
        let counts = self.counts.iter();
        let counts: Vec<_> = counts
            .map(|(unit, count)| format!("{} {unit}", thousands(*count)))
            .collect();
        let is_measured = |unit: &str| is_latency(unit) || is_share(unit);
        if self.counts.iter().all(|(unit, _)| is_measured(unit)) {
            return counts.join(", ");
        }
        let word = if self.are_findings {
            "findings"
        } else {
            "wrong"
        };
        format!("{}; {} {word}", counts.join(", "), thousands(self.wrong))
    }
}

fn is_latency(unit: &str) -> bool {
    unit.starts_with("µs")
}

fn is_share(unit: &str) -> bool {
    unit.starts_with('%')
}

/// With a comma behind each three digits.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The rows of a file with these columns.
fn rows<'a>(text: &'a str, columns: &str) -> Vec<Vec<&'a str>> {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(columns));
    let rows = lines.map(|line| {
        let row: Vec<_> = line.split('\t').collect();
        assert_eq!(row.len(), columns.split('\t').count(), "{line:?}");
        row
    });
    rows.collect()
}

fn number(text: &str) -> u64 {
    text.parse()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// By figure.
fn sums(campaigns: &str, fuzzing: &str) -> BTreeMap<String, Sum> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for row in rows(fuzzing, FUZZING_COLUMNS) {
        let figure = TARGETS
            .iter()
            .find(|(_, targets)| targets.contains(&row[2]));
        let Some((figure, _)) = figure else {
            continue;
        };
        let sum = sums.entry((*figure).to_owned()).or_default();
        sum.are_findings = true;
        sum.add(number(row[5]), "executions");
        if row[3] == "address" {
            sum.add(number(row[5]), "of them under AddressSanitizer");
        }
        sum.wrong += number(row[8]);
    }
    for row in rows(campaigns, CAMPAIGN_COLUMNS) {
        assert!(row[0].starts_with("20") && row[0].ends_with('Z'), "{row:?}");
        let is_figure = (1..=FIGURES).any(|number| row[2] == format!("R{number}"));
        assert!(is_figure && !row[6].is_empty(), "{row:?}");
        let sum = sums.entry(row[2].to_owned()).or_default();
        sum.add(number(row[3]), row[4]);
        sum.wrong += number(row[5]);
    }
    sums
}

/// The table with these sums in its last column, and the figures that have a row.
fn filled(page: &str, sums: &BTreeMap<String, Sum>) -> (String, Vec<String>) {
    let mut figures = Vec::new();
    let lines = page.lines().map(|line| {
        let columns: Vec<_> = line.split('|').map(str::trim).collect();
        let Some(figure) = columns.get(1).filter(|id| is_figure(id)) else {
            return format!("{line}\n");
        };
        assert_eq!(columns.len(), 7, "{line}");
        figures.push((*figure).to_owned());
        let sum = sums.get(*figure).map_or("none".to_owned(), Sum::text);
        let (before, _) = line
            .trim_end()
            .strip_suffix('|')
            .and_then(|line| line.rsplit_once('|'))
            .expect("columns");
        format!("{before}| {sum} |\n")
    });
    (lines.collect(), figures)
}

fn is_figure(id: &str) -> bool {
    let digits = id.strip_prefix('R').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_figures_of_campaigns_are_the_sums_of_their_files() {
    let page = read(PAGE);
    let (filled, figures) = filled(&page, &sums(&read(CAMPAIGNS), &read(FUZZING)));
    let all: Vec<_> = (1..=FIGURES).map(|number| format!("R{number}")).collect();
    assert_eq!(figures, all);
    if std::env::var_os("ARWEN_BLESS").is_some() {
        fs::write(root().join(PAGE), &filled).expect("writable");
    }
    let page = read(PAGE);
    let differs = page.lines().zip(filled.lines()).find(|(a, b)| a != b);
    assert!(
        page == filled,
        "{PAGE} does not have the sums of {CAMPAIGNS} and {FUZZING}: {differs:?}; to write them: \
         ARWEN_BLESS=1 cargo test --release --no-default-features --test documents campaigns"
    );
}

#[test]
fn campaigns_add_up() {
    let campaigns = format!(
        "{CAMPAIGN_COLUMNS}\n\
         2026Z\tc\tR5\t900\tkills\t0\tx\n2026Z\tc\tR5\t200\tkills\t3\tx\n\
         2026Z\tc\tR7\t40\tµs at most\t0\tx\n2026Z\tc\tR7\t30\tµs at most\t0\tx\n\
         2026Z\tc\tR17\t97\t% of a\t0\tx\n2026Z\tc\tR17\t96\t% of a\t0\tx\n"
    );
    let fuzzing = format!(
        "{FUZZING_COLUMNS}\nd\tc\tframe_decoder\taddress\t1\t1000000\t7\t8\t0\n\
         d\tc\tlog_lines\tnone\t1\t5\t7\t8\t0\nd\tc\thost_functions\tnone\t1\t5\t7\t8\t1\n"
    );
    let sums = sums(&campaigns, &fuzzing);
    let page = "| R1 | a | b | c | |\n| R4 | a | b | c | 1 |\n| R5 | a | b | c | x |\n| R7 | a | b | c | x |\n| R9 | a | b | c | x |\n\
                | R17 | a | b | c | x |\n";
    let (filled, figures) = filled(page, &sums);
    let last: Vec<_> = filled
        .lines()
        .map(|line| line.split('|').nth(5).expect("a column").trim())
        .collect();
    let expected = [
        "1,000,000 executions, 1,000,000 of them under AddressSanitizer; 0 findings",
        "5 executions; 1 findings",
        "1,100 kills; 3 wrong",
        "40 µs at most",
        "none",
        "96 % of a",
    ];
    assert_eq!(last, expected);
    assert_eq!(figures, ["R1", "R4", "R5", "R7", "R9", "R17"]);
}
