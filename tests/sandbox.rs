//! The sandbox from inside: a process enters it as the child does, and tries what it must not do.
//!
//! Without a harness, whose threads the sandbox would not bind.

#![cfg(feature = "vm")]

use arwen::internal::part::sandbox::{Reachable, Rule, SYSTEM_CALLS, Sandbox, enter};
use nix::errno::Errno;
use nix::libc;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

fn main() {
    // Stderr is read by this test.
    std::panic::set_hook(Box::new(|panic| println!("{panic}")));
    let folder = tempfile::tempdir().expect("a folder");
    let outside = tempfile::NamedTempFile::new().expect("a file");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound");
    // What the sandbox says about refused calls is read back at the end.
    let (mut said, stderr) = nix_pipe();
    // SAFETY: stderr is this process's, and nothing else uses it now.
    #[expect(unsafe_code, reason = "takes the place of stderr")]
    unsafe {
        assert_eq!(libc::dup2(stderr.as_raw_fd(), libc::STDERR_FILENO), 2);
    }
    let reachable = Reachable {
        folders: vec![folder.path().to_owned()],
        files: Vec::new(),
    };
    let report = enter(Sandbox::Required, &reachable).expect("this machine has all layers");
    println!("in force: {report}");
    assert_eq!(report.layers.len(), 4);

    files(folder.path(), outside.path());
    refused("connect", TcpStream::connect(port));
    refused("listen", TcpListener::bind("127.0.0.1:0"));
    refused("a socket of this machine", UnixStream::pair());
    refused("start a program", Command::new("/bin/true").spawn());
    let process = Path::new("/proc/self");
    for name in ["maps", "environ", "status", "fd", "mem"] {
        refused(name, File::open(process.join(name)));
    }
    refused("/proc/1", fs::read_dir("/proc/1"));
    let node = std::os::unix::process::parent_id();
    refused(
        "/proc of the node",
        File::open(format!("/proc/{node}/maps")),
    );
    system_calls(node);
    threads_and_signals();
    let mut kept = std::env::vars().map(|(name, _)| name);
    assert!(kept.all(|name| name == "RUST_BACKTRACE"));

    drop(stderr);
    names(&mut said);
    println!("all refused");
    // The folder can't be removed from inside: it stands in one that is not reachable.
    std::mem::forget((folder, outside));
}

/// A pipe whose read end does not block.
fn nix_pipe() -> (File, File) {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let (read, write) = io::pipe().expect("a pipe");
    fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe of ours");
    let files = [std::os::fd::OwnedFd::from(read), write.into()].map(File::from);
    files.into()
}

fn refused<T>(what: &str, result: io::Result<T>) {
    match result {
        Ok(_) => panic!("{what} is allowed"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}: {error}"),
    }
}

fn files(folder: &Path, outside: &Path) {
    let inside = folder.join("module");
    fs::write(&inside, "code").expect("in the folder");
    fs::rename(&inside, folder.join("other")).expect("in the folder");
    assert_eq!(
        fs::read(folder.join("other")).expect("in the folder"),
        b"code"
    );
    fs::remove_file(folder.join("other")).expect("in the folder");
    refused("read a file", File::open(outside));
    refused("write a file", File::create(outside));
    refused("make a file", File::create(outside.with_extension("new")));
    refused("remove a file", fs::remove_file(outside));
    refused("list a folder", fs::read_dir("/"));
    refused(
        "link a file",
        std::os::unix::fs::symlink("/etc/passwd", folder.join("link")),
    );
    refused("make a folder", fs::create_dir(folder.join("folder")));
}

/// Makes each call of the table. None has an effect: it is refused before anything looks at its arguments.
fn system_calls(node: u32) {
    for call in SYSTEM_CALLS.into_iter().flatten() {
        let first = match call.rule {
            Rule::Always | Rule::Process | Rule::ButThreads => 0,
            Rule::OfOthers | Rule::OfOthersOrZero => node,
        };
        assert_eq!(
            system_call(call.number, first),
            Errno::EPERM,
            "{}",
            call.name
        );
    }
    assert_eq!(system_call(libc::SYS_clone3, 0), Errno::ENOSYS);
    for groups in [0_u32, u32::MAX] {
        assert_eq!(system_call(libc::SYS_kill, groups), Errno::EPERM);
    }
}

fn system_call(number: libc::c_long, first: u32) -> Errno {
    Errno::clear();
    // SAFETY: the filter refuses the call; were it made, its arguments would name nothing.
    #[expect(unsafe_code, reason = "calls without a function of the C library")]
    let result = unsafe { libc::syscall(number, libc::c_long::from(first), 0, 0, 0, 0, 0) };
    assert_eq!(result, -1, "the system call {number} was made");
    Errno::last()
}

/// What the child needs is allowed.
fn threads_and_signals() {
    let thread = std::thread::spawn(|| {
        refused("read a file in a thread", File::open("/proc/self/maps"));
        refused("connect in a thread", UnixStream::pair());
    });
    thread.join().expect("threads are allowed, and as bound");
    let alive = nix::sys::signal::kill(nix::unistd::Pid::this(), None);
    alive.expect("a process may send itself a signal");
}

/// Each refused call is told by its name.
fn names(said: &mut File) {
    let mut text = Vec::new();
    // The end of the pipe is not reached: stderr is open.
    let _ = said.read_to_end(&mut text);
    let text = String::from_utf8(text).expect("names are ASCII");
    for call in SYSTEM_CALLS.into_iter().flatten() {
        let line = format!(
            "the sandbox refused the system call {} ({})\n",
            call.name, call.number
        );
        assert_eq!(text.contains(&line), call.rule.is_told(), "{line}: {text}");
    }
    io::stdout().flush().expect("stdout is there");
}
