//! Several processes with one world, and processes that are killed.

use crate::world::{INCREMENT, counter};
use crate::{json, refuses, succeeds, tool};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn many_processes_lose_no_change() {
    const PROCESSES: usize = 8;
    let folder = counter();
    let folder = folder.path();
    let start = |_| {
        tool(folder, INCREMENT)
            .stdout(Stdio::null())
            .spawn()
            .expect("it runs")
    };
    let children: Vec<_> = (0..PROCESSES).map(start).collect();
    for mut child in children {
        assert!(child.wait().expect("a child").success());
    }
    let (query, _) = json(
        folder,
        &["query", "--contract", "contract0", "--function", "get"],
    );
    assert_eq!(query["returnData"][0], format!("0x{:02x}", PROCESSES + 1));
}

#[test]
fn a_killed_process_leaves_a_whole_world_and_no_lock() {
    let folder = counter();
    let folder = folder.path();
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut pauses = (0..30_000).step_by(700).cycle();
    while Instant::now() < deadline {
        let mut child = tool(folder, INCREMENT)
            .stdout(Stdio::null())
            .spawn()
            .expect("it runs");
        let pause = pauses.next().expect("endless");
        std::thread::sleep(Duration::from_micros(pause));
        child.kill().expect("killed");
        child.wait().expect("a child");
        let (query, code) = json(
            folder,
            &["query", "--contract", "contract0", "--function", "get"],
        );
        assert_eq!(code, Some(0), "{query}");
    }
    succeeds(folder, INCREMENT);
    assert_eq!(
        fs::read_dir(folder.join("db/worlds"))
            .expect("a folder")
            .count(),
        2
    );
}

#[test]
fn a_world_in_use_is_waited_for() {
    let folder = counter();
    let folder = folder.path();
    let lock = fs::File::options()
        .write(true)
        .open(folder.join("db/worlds/default.lock"))
        .expect("a lock");
    lock.lock().expect("free");
    let mut waiting = tool(folder, INCREMENT)
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(waiting.try_wait().expect("a child"), None);
    lock.unlock().expect("locked");
    assert!(waiting.wait().expect("a child").success());
    // Reading needs no turn.
    lock.lock().expect("free");
    succeeds(folder, &["account", "list"]);
    refuses(
        folder,
        INCREMENT,
        "the world \"default\" is being changed by process ",
    );
}
