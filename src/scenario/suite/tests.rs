use super::super::fixtures::SETTINGS;
use super::*;
use std::fs;

/// A setState that names the address of the contract that `a` deploys with this nonce.
fn name_address(nonce: u64) -> String {
    format!(
        r#"{{"step": "setState", "newAddresses": [{{
            "creatorAddress": "''a_______________________________", "creatorNonce": "{nonce}",
            "newAddress": "''d_______________________________"}}]}}"#
    )
}

/// A deploy by `a` with a nonce, whose contract must get that address, or must not.
fn deploy(nonce: u64, named: bool) -> String {
    let expected = match named {
        true => "''d_______________________________".to_owned(),
        false => format!("0x00000000000000000000|0x11111111|''a______________|0x{nonce:02x}|''__"),
    };
    format!(
        r#"{{"step": "checkState", "accounts": {{}}}},
        {{"step": "setState", "accounts": {{
            "''a_______________________________": {{"nonce": "{nonce}", "balance": "0"}}}}}},
        {{"step": "scDeploy", "tx": {{
            "from": "''a_______________________________", "value": "0", "contractCode": "''c"}}}},
        {{"step": "checkState", "accounts": {{
            "''a_______________________________": {{"nonce": "*", "balance": "0"}},
            "{expected}": {{"balance": "0", "code": "''c"}}}}}}"#
    )
}

const FAIL: &str = r#"{"step": "checkState", "accounts": {"keccak256:": {"balance": "0"}}}"#;

/// A folder of scenarios.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        for (name, steps) in files {
            let file = folder.0.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("writable");
            fs::write(file, format!(r#"{{"steps": [{steps}]}}"#)).expect("writable");
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The names of the scenarios of some paths, and whether they passed.
    fn run(&self, paths: &[&str], machines: usize) -> Vec<(String, bool)> {
        let paths: Vec<_> = paths.iter().map(|path| self.path(path)).collect();
        let suite = Suite::find(&paths).expect("scenarios");
        let machines = NonZeroUsize::new(machines).expect("not zero");
        let mut observed = Vec::new();
        let report = suite.run(SETTINGS, machines, |scenario| {
            observed.push(scenario.file.clone());
            ControlFlow::Continue(())
        });
        let name = |scenario: &ScenarioReport| {
            let name = scenario.file.strip_prefix(self.0.path()).expect("below");
            (name.display().to_string(), scenario.failure.is_none())
        };
        let files = report.scenarios.iter().map(|scenario| &scenario.file);
        assert!(files.eq(&observed), "{observed:?}");
        report.scenarios.iter().map(name).collect()
    }
}

#[test]
fn scenarios_of_a_folder_are_run_in_the_order_of_their_names() {
    let folder = Folder::new(&[
        ("s/b.scen.json", ""),
        ("s/a/z.scen.json", ""),
        ("s/a.scen.json", ""),
        ("s/B.scen.json", ""),
        ("s/a/steps/x.steps.json", "never run"),
        ("s/x.json", "never run"),
        ("other.json", ""),
    ]);
    let expected = [
        "s/B.scen.json",
        "s/a/z.scen.json",
        "s/a.scen.json",
        "s/b.scen.json",
    ];
    let passed = |names: &[&str]| Vec::from_iter(names.iter().map(|name| (name.to_string(), true)));
    assert_eq!(folder.run(&["s"], 1), passed(&expected));
    assert_eq!(folder.run(&["s"], 3), passed(&expected));
    // Files may have any name.
    let named = ["other.json", "s/b.scen.json"];
    assert_eq!(folder.run(&named, 1), passed(&named));
}

#[test]
fn nothing_is_run_for_an_observer_that_has_gone() {
    let names: Vec<_> = (0..100).map(|n| format!("{n}.scen.json")).collect();
    let files: Vec<_> = names.iter().map(|name| (&name[..], "")).collect();
    let folder = Folder::new(&files);
    let suite = Suite::find(&[folder.path(".")]).expect("scenarios");
    for machines in [1, 3] {
        let machines = NonZeroUsize::new(machines).expect("not zero");
        let mut left = 3;
        let report = suite.run(SETTINGS, machines, |_| {
            left -= 1;
            match left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        assert_eq!(report.scenarios.len(), 3);
    }
}

#[test]
fn what_can_not_be_found_is_an_error() {
    let folder = Folder::new(&[("s/x.steps.json", "")]);
    let error = |name| Suite::find(&[folder.path(name)]).expect_err(name);
    assert!(matches!(error("none"), SuiteError::Unreadable { .. }));
    assert!(matches!(error("s"), SuiteError::NoScenarios(_)));
}

#[test]
fn addresses_stay_within_a_folder_and_accounts_do_not() {
    let include = r#"{"step": "externalSteps", "path": "../name.steps.json"}"#;
    let files = [
        ("name.steps.json", &*name_address(0)),
        ("s/1_unnamed.scen.json", &*deploy(0, false)),
        ("s/2_name.scen.json", include),
        ("s/3_named.scen.json", &*deploy(0, true)),
        // It fails before it names an address, which can't be predicted.
        ("s/4_fail.scen.json", &*[FAIL, &name_address(1)].join(",")),
        ("s/5_unnamed.scen.json", &*deploy(1, false)),
        ("s/6_name.scen.json", &*[&name_address(2), FAIL].join(",")),
        ("s/7_named.scen.json", &*deploy(2, true)),
        ("s/8_named.scen.json", &*deploy(0, true)),
        ("t/9_unnamed.scen.json", &*deploy(0, false)),
    ];
    let folder = Folder::new(&files);
    let names = files[1..].iter().map(|(name, _)| *name);
    let fails = |name: &str| ["s/4", "s/6"].contains(&&name[..3]);
    let expected: Vec<_> = names.map(|name| (name.to_owned(), !fails(name))).collect();
    for machines in [1, 2, 3, 9, 100] {
        assert_eq!(folder.run(&["s", "t"], machines), expected, "{machines}");
    }
    // Within one folder they would be kept.
    let last = |all: Vec<(String, bool)>| all.last().map(|(_, passed)| *passed);
    assert_eq!(last(folder.run(&["."], 1)), Some(false));
    assert_eq!(last(folder.run(&["."], 3)), Some(false));
}

#[test]
fn scenarios_that_are_filtered_out_leave_to_others_what_they_would() {
    let folder = Folder::new(&[
        ("a.scen.json", &name_address(3)),
        ("b.scen.json", &deploy(3, true)),
        ("c.scen.json", FAIL),
    ]);
    let suite = || Suite::find(&[folder.path("")]).expect("scenarios");
    for machines in [1, 2] {
        let filtered = suite().filter("b.scen").expect("there");
        assert_eq!((filtered.len(), filtered.is_empty()), (1, false));
        let machines = NonZeroUsize::new(machines).expect("not zero");
        let report = filtered.run(SETTINGS, machines, |_| ControlFlow::Continue(()));
        assert_eq!((report.scenarios.len(), report.failed()), (1, 0));
        let two = suite().filter("a.scen").expect("there");
        assert!(two.files().eq([folder.path("a.scen.json")]));
    }
    let none = suite().filter("nothing").expect_err("no match").to_string();
    assert_eq!(none, "none of the 3 scenarios has \"nothing\" in its path");
}
