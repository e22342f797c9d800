//! Reports of scenarios as JUnit XML, which continuous integration systems read.

use super::{ToolError, atomic};
use crate::escape::escape_text;
use crate::scenario::{Report, ScenarioReport};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Writes a report to a file, as a whole.
pub fn write_junit(report: &Report, path: &Path) -> Result<(), ToolError> {
    let written = atomic::write(path, junit(report).as_bytes());
    written.map_err(|reason| ToolError::Unwritable {
        path: path.to_owned(),
        reason,
    })
}

/// A file with a test case for each scenario.
fn junit(report: &Report) -> String {
    let elapsed = report.scenarios.iter().map(|scenario| scenario.elapsed);
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{}\"",
        report.scenarios.len(),
        report.failed(),
        seconds(elapsed.sum())
    );
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  \
         <testsuite name=\"arwendebug scenario\" {counts}>\n"
    );
    for scenario in &report.scenarios {
        add(&mut xml, scenario);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn add(xml: &mut String, scenario: &ScenarioReport) {
    let folder = scenario
        .file
        .parent()
        .map(|folder| folder.display().to_string());
    let name = scenario.file.file_name().unwrap_or_default();
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        escaped(&folder.unwrap_or_default()),
        escaped(&name.to_string_lossy()),
        seconds(scenario.elapsed)
    );
    let Some(failure) = &scenario.failure else {
        xml.push_str("/>\n");
        return;
    };
    let text = failure.to_string();
    let first = text.lines().next().unwrap_or_default();
    let _ = writeln!(
        xml,
        ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
        escaped(first),
        escaped(&text)
    );
}

fn seconds(time: Duration) -> String {
    format!("{:.6}", time.as_secs_f64())
}

/// Text for XML, which can't have control characters, and no U+FFFE and U+FFFF.
fn escaped(text: &str) -> String {
    let text = escape_text(text);
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Failure, StepFailure};

    #[test]
    fn a_report_is_xml() {
        let scenario = |file: &str, failure| ScenarioReport {
            file: file.into(),
            transactions: vec![],
            failure,
            elapsed: Duration::from_millis(1500),
        };
        let failure = Failure::Step {
            file: "a<b".into(),
            place: "steps[1]".to_owned(),
            cause: Box::new(StepFailure::Panic("\"1\" & \u{1b}\ntwo\u{ffff}".to_owned())),
        };
        let report = Report {
            scenarios: vec![
                scenario("x/a.scen.json", None),
                scenario("b&.scen.json", Some(failure)),
            ],
        };
        let counts = r#"tests="2" failures="1" errors="0" time="3.000000""#;
        let expected = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites {counts}>
  <testsuite name="arwendebug scenario" {counts}>
    <testcase classname="x" name="a.scen.json" time="1.500000"/>
    <testcase classname="" name="b&amp;.scen.json" time="1.500000">
      <failure message="a&lt;b: steps[1]: the VM panicked: &quot;1&quot; &amp; \u{{1b}}">a&lt;b: steps[1]: the VM panicked: &quot;1&quot; &amp; \u{{1b}}
two{}</failure>
    </testcase>
  </testsuite>
</testsuites>
"#,
            '\u{fffd}'
        );
        assert_eq!(junit(&report), expected);
    }
}
