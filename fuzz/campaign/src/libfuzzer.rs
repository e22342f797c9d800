//! What a run of libFuzzer printed.

/// What came of a run.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    pub executions: u64,
    /// A second.
    pub speed: u64,
    /// Edges of the control flow that were reached.
    pub edges: u64,
    /// Edges together with how often they were passed.
    pub features: u64,
    /// Inputs that were read from the seeds in the tree.
    pub seeds: u64,
    /// Inputs that reached something new.
    pub new: u64,
    /// Files with inputs that broke something.
    pub artifacts: Vec<String>,
    /// Whether the program ended as it should.
    pub success: bool,
    /// The last line that it printed.
    pub last_words: String,
}

impl Outcome {
    pub const HEADING: &str =
        "target               executions      exec/s   edges  features  seeds     new  findings";

    /// Reads the output of a run over these seeds, a folder.
    pub fn read(text: &str, seeds: &str, success: bool) -> Outcome {
        let mut outcome = Outcome {
            success,
            ..Outcome::default()
        };
        for line in text.lines() {
            outcome.read_line(line, seeds);
        }
        outcome.last_words = text.lines().last().unwrap_or_default().to_owned();
        outcome
    }

    fn read_line(&mut self, line: &str, seeds: &str) {
        if let Some(statistic) = line.strip_prefix("stat::") {
            let (name, value) = statistic.split_once(':').unwrap_or_default();
            let value = value.trim().parse().unwrap_or_default();
            match name {
                "number_of_executed_units" => self.executions = value,
                "average_exec_per_sec" => self.speed = value,
                "new_units_added" => self.new = value,
                _ => {}
            }
        } else if let Some(rest) = line.strip_prefix('#') {
            // `#225601<tab>DONE   cov: 3340 ft: 8055 corp: ...`. A run that is cut short prints no statistics.
            let mut words = rest.split_whitespace();
            let number = words.next().and_then(|number| number.parse().ok());
            self.executions = self.executions.max(number.unwrap_or_default());
            while let Some(word) = words.next() {
                let field = match word {
                    "cov:" => &mut self.edges,
                    "ft:" => &mut self.features,
                    _ => continue,
                };
                *field = words
                    .next()
                    .and_then(|value| value.parse().ok())
                    .unwrap_or(*field);
            }
        } else if let Some(artifact) = line.split("Test unit written to ").nth(1) {
            self.artifacts.push(artifact.trim().to_owned());
        } else if let Some((count, folder)) = line
            .strip_prefix("INFO:")
            .and_then(|rest| rest.split_once(" files found in "))
            && folder.trim() == seeds
        {
            self.seeds = count.trim().parse().unwrap_or_default();
        }
    }

    /// Why it is no good, apart from what was found.
    pub fn fault(&self) -> Option<&'static str> {
        if self.executions == 0 {
            Some("executed nothing")
        } else if self.seeds == 0 {
            Some("read no seeds")
        } else if !self.success && self.artifacts.is_empty() {
            Some("ended with an error and left no input that shows it")
        } else {
            None
        }
    }

    /// How many findings there are.
    pub fn findings(&self) -> u64 {
        let artifacts = self.artifacts.len() as u64;
        artifacts.max(u64::from(!self.success))
    }

    pub fn line(&self, target: &str) -> String {
        format!(
            "{target:18} {:12} {:11} {:7} {:9} {:6} {:7} {:9}",
            self.executions,
            self.speed,
            self.edges,
            self.features,
            self.seeds,
            self.new,
            self.findings()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: &str = "\
INFO: Running with entropic power schedule (0xFF, 100).
INFO:        0 files found in /tmp/new
INFO:      451 files found in fuzz/corpus/json_messages
INFO: seed corpus: files: 451 min: 1b max: 1361b total: 139750b rss: 27Mb
#452\tINITED cov: 3209 ft: 7111 corp: 391/70Kb exec/s: 0 rss: 28Mb
#225601\tDONE   cov: 3340 ft: 8055 corp: 1879/367Kb lim: 1391 exec/s: 45120 rss: 32Mb
Done 225601 runs in 5 second(s)
stat::number_of_executed_units: 225601
stat::average_exec_per_sec:     45120
stat::new_units_added:          1761
stat::slowest_unit_time_sec:    0
stat::peak_rss_mb:              32
";

    #[test]
    fn a_run_is_read() {
        let expected = Outcome {
            executions: 225_601,
            speed: 45_120,
            edges: 3340,
            features: 8055,
            seeds: 451,
            new: 1761,
            artifacts: Vec::new(),
            success: true,
            last_words: "stat::peak_rss_mb:              32".to_owned(),
        };
        let outcome = Outcome::read(DONE, "fuzz/corpus/json_messages", true);
        assert_eq!(outcome, expected);
        assert_eq!((outcome.fault(), outcome.findings()), (None, 0));
    }

    #[test]
    fn a_finding_is_named_even_without_statistics() {
        let text = "\
INFO:       12 files found in corpus
#1024\tNEW    cov: 26 ft: 27 corp: 1/1b lim: 4 exec/s: 0 rss: 28Mb L: 1/1 MS: 1 CopyPart-
==1==ERROR: libFuzzer: deadly signal
artifact_prefix='a/'; Test unit written to a/crash-da39a3ee
";
        let outcome = Outcome::read(text, "corpus", false);
        assert_eq!((outcome.executions, outcome.edges), (1024, 26));
        assert_eq!(outcome.artifacts, ["a/crash-da39a3ee"]);
        assert_eq!((outcome.fault(), outcome.findings()), (None, 1));
    }

    #[test]
    fn a_run_that_did_nothing_is_a_fault() {
        for (text, success, fault) in [
            ("", true, Some("executed nothing")),
            ("", false, Some("executed nothing")),
            ("#7\tDONE cov: 1 ft: 1", true, Some("read no seeds")),
            (
                "INFO: 3 files found in other\n#7\tDONE cov: 1",
                true,
                Some("read no seeds"),
            ),
            (
                "INFO: 3 files found in corpus\n#7\tDONE cov: 1",
                false,
                Some("ended with an error and left no input that shows it"),
            ),
            ("INFO: 3 files found in corpus\n#7\tDONE cov: 1", true, None),
        ] {
            let outcome = Outcome::read(text, "corpus", success);
            assert_eq!(outcome.fault(), fault, "{text:?}");
            assert_eq!(outcome.findings(), u64::from(!success));
        }
    }
}
