//! What the driver records: whole lives, whatever ends them, and never at the cost of a request.

use super::node::{Node, config};
use crate::end_child;
use crate::output::logged;
use crate::setup::{self, Hook, alone, holdings, holdings_like, input};
use arwen::driver::{Driver, DriverConfig, Fault, ReadAhead, StartError};
use arwen::internal::codec;
use arwen::internal::recording::{Head, Reader, Record, RecordingError};
use arwen::messages::*;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const COUNTER: &str = include_str!("../../contracts/counter.wat");

/// The environment variable with the folder that a test records in which is killed.
const FOLDER: &str = "ARWEN_TEST_RECORD";

struct Recording {
    head: Head,
    records: Vec<Record>,
    error: Option<RecordingError>,
}

impl Recording {
    fn read(path: &Path) -> Recording {
        let mut reader = Reader::new(File::open(path).expect("there")).expect("a recording");
        let (mut records, mut error) = (Vec::new(), None);
        loop {
            match reader.next() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => break,
                Err(fault) => {
                    error = Some(fault);
                    break;
                }
            }
        }
        Recording {
            head: *reader.head(),
            records,
            error,
        }
    }

    /// Direction and name of each frame.
    fn kinds(&self) -> Vec<String> {
        let frames = self.records.iter().filter_map(|record| match record {
            Record::Frame(frame) => {
                let kind = MessageKind::from_wire(frame.kind).expect("known");
                let sign = if frame.from_node { '>' } else { '<' };
                Some(format!("{sign} {}", kind.as_str_name()))
            }
            _ => None,
        });
        frames.collect()
    }

    fn end(&self) -> &str {
        match self.records.last() {
            Some(Record::End { how, .. }) => how,
            other => panic!("no end: {other:?}"),
        }
    }
}

/// The files in the order of their lives.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("one").path()).collect();
    files.sort();
    files
}

const START: [&str; 3] = [
    "> Initialize",
    "> DiagnoseWaitRequest",
    "< DiagnoseWaitResponse",
];

const CALL: [&str; 6] = [
    "> ContractCallRequest",
    "< BlockchainGetUserAccountRequest",
    "> BlockchainGetUserAccountResponse",
    "< BlockchainGetStorageDataRequest",
    "> BlockchainGetStorageDataResponse",
    "< ContractResponse",
];

#[test]
fn each_life_is_a_file_with_all_its_frames() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("new/recordings");
    // Each hook call is to be a frame.
    let config = config().record(&folder).read_ahead(ReadAhead::OFF);
    let format = config.format;
    let mut node = Node::with_contract(config, COUNTER);
    let id = node.driver.child_id().expect("it lives");
    for value in 1..=3u8 {
        assert_eq!(node.call("increment").return_data, [&[value][..]]);
    }
    end_child(&node.driver, Signal::SIGKILL);
    node.call("increment");
    node.driver.close();
    let stats = node.driver.stats();
    assert_eq!(
        (stats.recorded_frames_total, stats.unrecorded_frames_total),
        (31, 0)
    );
    drop(node);

    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files = files(&folder);
    assert_eq!(
        files.iter().map(|file| mode(file)).collect::<Vec<_>>(),
        [0o600; 2]
    );
    let [first, second] = [&files[0], &files[1]].map(|file| Recording::read(file));
    assert!(first.error.is_none() && second.error.is_none());
    assert_eq!((first.head.child, first.head.format), (id, format));
    assert_eq!(first.kinds(), [&START[..], &CALL, &CALL, &CALL].concat());
    assert_eq!(second.kinds(), [&START[..], &CALL, &["> Stop"]].concat());
    assert!(
        first.end().contains("was ended by SIGKILL"),
        "{}",
        first.end()
    );
    assert_eq!(second.end(), "the driver has closed it");
    let mut last = 0;
    for record in &first.records {
        let Record::Frame(frame) = record else {
            continue;
        };
        assert!(frame.micros >= last);
        last = frame.micros;
        let format = match frame.kind {
            1 => Format::Json,
            _ => format,
        };
        codec::decode(format, frame.kind, frame.payload.clone()).expect("a message");
    }
}

#[test]
fn what_breaks_the_protocol_is_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = setup::config("child").record(folder.path());
    let mut driver = Driver::new(config, Hook::default()).expect("started");
    driver.call(input("not-json")).expect_err("it is garbage");
    drop(driver);
    let recording = Recording::read(&files(folder.path())[0]);
    let [.., Record::Frame(frame), Record::End { how, .. }] = &recording.records[..] else {
        panic!("{:?}", recording.records);
    };
    assert_eq!((frame.kind, &frame.payload[..]), (5, &b"garbage"[..]));
    assert!(how.contains("bad message from arwen"), "{how}");
}

#[test]
fn a_folder_that_can_not_be_is_refused_at_the_start() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let config = setup::config("child").record(file.path());
    let error = Driver::new(config, Hook::default()).expect_err("refused");
    let Fault::Start(StartError::Recording { folder, .. }) = &error.fault else {
        panic!("{error}");
    };
    assert_eq!(folder, file.path());
    assert!(
        error.to_string().contains("can't be recorded in"),
        "{error}"
    );
}

/// A limit of the length of files stands for a disk that is full. The process has the test to itself.
#[test]
fn a_full_disk_ends_the_recording_and_no_request() {
    let name = "real::record::a_full_disk_ends_the_recording_and_no_request";
    let limit = |command: &mut Command| {
        let program = std::env::current_exe().expect("known");
        let line = format!(
            "trap '' XFSZ; ulimit -f 400; exec '{}' --exact {name} --nocapture --test-threads=1",
            program.display()
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        *command = shell;
    };
    if !alone(name, limit) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let lines = logged(|| {
        let config = setup::config("child").record(folder.path());
        let mut driver = Driver::new(config, Hook::default()).expect("started");
        // Incompressible, and more than fits.
        let mut code = vec![0; 20_000];
        for turn in 0..40u64 {
            let mut word = turn + 1;
            code.fill_with(|| {
                word ^= word << 13;
                word ^= word >> 7;
                word ^= word << 17;
                word as u8
            });
            let deploy = ContractCreateInput {
                contract_code: code.clone().into(),
                ..ContractCreateInput::default()
            };
            let output = driver
                .deploy(deploy)
                .expect("no error")
                .expect("no failure");
            assert_eq!(output.return_data, [code.clone()]);
            std::thread::sleep(Duration::from_millis(5));
        }
        let stats = driver.stats();
        assert!(stats.unrecorded_frames_total > 0, "{stats:?}");
        // The next child is not recorded, and lives all the same.
        driver.close();
        setup::is_served(&mut driver);
    });
    let warnings = lines
        .iter()
        .filter(|line| line.contains("nothing more is recorded"));
    assert_eq!(warnings.count(), 1, "{lines:#?}");
    let files = files(folder.path());
    assert_eq!(files.len(), 1);
    let recording = Recording::read(&files[0]);
    assert!(
        matches!(recording.error, Some(RecordingError::Cut)),
        "{:?}",
        recording.error
    );
    assert!(recording.records.len() > 3, "{:?}", recording.kinds());
}

/// Not a test by itself: records and waits to be killed, when another test has it do that.
#[test]
fn a_node_that_records_when_told_so() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let config = config().record(folder).read_ahead(ReadAhead::OFF);
    let mut node = Node::with_contract(config, COUNTER);
    (0..20).for_each(|_| drop(node.call("increment")));
    std::thread::sleep(Duration::from_secs(1));
    println!("recorded");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_node_that_is_killed_leaves_a_readable_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Command::new(std::env::current_exe().expect("known"));
    node.args([
        "--exact",
        "real::record::a_node_that_records_when_told_so",
        "--nocapture",
    ]);
    let node = node.env(FOLDER, folder.path()).stdout(Stdio::piped());
    let mut node = node.spawn().expect("started");
    let mut lines = BufReader::new(node.stdout.take().expect("piped")).lines();
    let is_told = lines.any(|line| line.expect("text").contains("recorded"));
    node.kill().expect("it lives");
    node.wait().expect("killed");
    assert!(is_told);
    let recording = Recording::read(&files(folder.path())[0]);
    assert!(
        matches!(recording.error, Some(RecordingError::Cut)),
        "{:?}",
        recording.error
    );
    assert_eq!(recording.kinds().len(), START.len() + 20 * CALL.len());
}

#[test]
fn a_driver_that_records_leaves_nothing_behind() {
    let name = "real::record::a_driver_that_records_leaves_nothing_behind";
    if !alone(name, |_| {}) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let before = holdings();
    let config: DriverConfig = config().record(folder.path());
    let node = Node::with_contract(config, COUNTER);
    let child = node.driver.child_id().expect("it lives");
    drop(node);
    assert_eq!(holdings_like(&before), before);
    assert!(nix::sys::signal::kill(Pid::from_raw(child as i32), None).is_err());
}
