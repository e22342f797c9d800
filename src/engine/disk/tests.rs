//! Files that are in order are loaded; all others are misses, which are counted, and replaced.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;

use super::*;
use crate::engine::cache::{CacheLimits, Counted, ModuleCache};
use crate::engine::instrument::{HiddenExports, InstrumentedModule};
use crate::engine::opcode_costs::OpcodeCosts;
use crate::engine::wasmer::{WasmerEngine, warm::WarmLimits};
use crate::engine::{
    Abort, CallEnd, ExportedFunction, HostCalls, ImportedFunction, InstanceAccess,
};

const TABLE: ImportTable = &[ImportedFunction {
    namespace: "env",
    name: "note",
    parameters: &[],
    result: None,
}];

const IDENTITY: ModuleIdentity = ModuleIdentity {
    code_hash: [1; 32],
    rules_hash: [2; 32],
};

struct Silent;

impl HostCalls for Silent {
    fn call(&mut self, _: usize, _: &mut dyn InstanceAccess, _: &[i64]) -> Result<i64, Abort> {
        Ok(0)
    }

    fn panicked(&mut self, message: String) {
        panic!("{message}");
    }
}

fn private_folder() -> TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .expect("a folder")
}

fn limits(folder: &TempDir) -> DiskLimits {
    DiskLimits {
        folder: folder.path().join("modules"),
        bytes: 1 << 20,
    }
}

fn store(folder: &TempDir) -> ArtifactStore {
    ArtifactStore::open(limits(folder), "this compiler").expect("a private folder")
}

fn module() -> StoredModule {
    StoredModule {
        artifact: (0..=255).collect::<Vec<u8>>().into(),
        description: InstrumentedModule {
            bytes: Vec::new(),
            identity: None,
            import_table: TABLE,
            imports: vec![0, 0],
            exported_functions: vec![ExportedFunction {
                name: "größer".to_owned(),
                parameters: 2,
                results: 1,
            }],
            exports_memory: true,
            declared_maximum_pages: Some(7),
            hidden: HiddenExports {
                used: "a:used".to_owned(),
                limit: "a:limit".to_owned(),
                slots: "a:slots".to_owned(),
                memory: Some("a:memory".to_owned()),
                start: None,
                mutable_globals: vec!["a:global 1".to_owned()],
                details: Vec::new(),
            },
        },
    }
}

fn load(store: &ArtifactStore) -> Option<StoredModule> {
    store.load(&IDENTITY, TABLE, Ok)
}

/// A store whose folder has the file of [`module`], and that file.
fn filled(folder: &TempDir) -> (ArtifactStore, PathBuf) {
    store(folder).store(IDENTITY, module());
    let store = store(folder);
    let path = store.folder.path(&IDENTITY);
    assert_eq!(load(&store), Some(module()));
    (store, path)
}

/// The file is not loaded, and this is counted.
fn is_rejected(store: &ArtifactStore, what: &str) {
    let before = store.counters();
    assert_eq!(load(store), None, "{what}");
    let rejected = before.rejected + 1;
    assert_eq!(
        store.counters(),
        DiskCounters { rejected, ..before },
        "{what}"
    );
}

#[test]
fn a_module_is_written_and_read() {
    let folder = private_folder();
    let first = store(&folder);
    assert_eq!(load(&first), None);
    assert_eq!(first.counters().misses, 1);
    first.store(IDENTITY, module());
    let shared = Arc::clone(&first.folder);
    drop(first);
    assert_eq!(shared.counters.written.load(Ordering::Relaxed), 1);
    let second = store(&folder);
    assert_eq!(load(&second), Some(module()));
    let hits = DiskCounters {
        hits: 1,
        ..DiskCounters::default()
    };
    assert_eq!(second.counters(), hits);
    let mode = fs::metadata(second.folder.path(&IDENTITY))
        .expect("a file")
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mode = fs::metadata(&second.folder.limits.folder)
        .expect("a folder")
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let folder = private_folder();
    let (store, path) = filled(&folder);
    let whole = fs::read(&path).expect("a file");
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, bytes).expect("our file");
        is_rejected(&store, &format!("bit {bit}"));
    }
}

/// Reading a mapped file that is cut off ends a process by SIGBUS.
#[test]
fn files_that_are_cut_off_while_they_are_read_end_no_process() {
    let folder = private_folder();
    let (store, path) = filled(&folder);
    let whole = fs::read(&path).expect("a file");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // In place, as no program of ours writes.
                fs::write(&path, []).expect("our file");
                fs::write(&path, &whole).expect("our file");
            }
        });
        for _ in 0..2000 {
            if let Some(loaded) = load(&store) {
                assert_eq!(loaded, module());
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_the_folder_may_not_hold_is_not_read() {
    let folder = private_folder();
    let (store, path) = filled(&folder);
    // Without a byte on the disk.
    let file = fs::OpenOptions::new().write(true).open(&path);
    let long = file.and_then(|file| file.set_len(1 << 40));
    long.expect("our file");
    is_rejected(&store, "a terabyte");
}

#[test]
fn every_other_length_is_noticed() {
    let folder = private_folder();
    let (store, path) = filled(&folder);
    let mut bytes = fs::read(&path).expect("a file");
    bytes.push(0);
    fs::write(&path, &bytes).expect("our file");
    is_rejected(&store, "longer");
    bytes.pop();
    while bytes.pop().is_some() {
        fs::write(&path, &bytes).expect("our file");
        is_rejected(&store, &format!("{} bytes", bytes.len()));
    }
}

#[test]
fn a_note_that_a_module_is_not_compiled_holds_for_a_day() {
    let folder = private_folder();
    let given_up = |store: &ArtifactStore| store.has_given_up(&IDENTITY, TABLE);
    assert!(!given_up(&store(&folder)));
    store(&folder).give_up(IDENTITY, "too hard");
    let other = store(&folder);
    assert!(given_up(&other));
    // It is no module, and nothing is wrong with it.
    assert_eq!(load(&other), None);
    let expected = DiskCounters {
        misses: 1,
        ..DiskCounters::default()
    };
    assert_eq!(other.counters(), expected);
    let path = other.folder.path(&IDENTITY);
    let age = |hours: u64| {
        let time = SystemTime::now() - Duration::from_secs(hours * 60 * 60);
        let file = File::options().write(true).open(&path).expect("our file");
        file.set_modified(time).expect("our file");
    };
    age(23);
    assert!(given_up(&other));
    age(25);
    assert!(!given_up(&other));
    // A flipped byte is not believed.
    age(1);
    let mut bytes = fs::read(&path).expect("our file");
    *bytes.last_mut().expect("a reason") ^= 1;
    fs::write(&path, bytes).expect("our file");
    assert!(!given_up(&other));
    // What was compiled after all takes its place.
    other.store(IDENTITY, module());
    drop(other);
    assert!(!given_up(&store(&folder)));
    assert_eq!(load(&store(&folder)), Some(module()));
}

/// Files with right checksums that are not ours, and what another format may look like.
#[test]
fn files_with_a_good_checksum_are_checked_further() {
    let folder = private_folder();
    let (store, path) = filled(&folder);
    let key = store.folder.key(&IDENTITY);
    let write = |parts: [Bytes; 3]| fs::write(&path, parts.concat()).expect("our file");
    for byte in [0, 31, 32, 63, 64, 95] {
        let mut other = key;
        other[byte] ^= 1;
        write(format::encode(&Stored::Module(Box::new(module())), &other));
        is_rejected(&store, &format!("byte {byte} of the key"));
    }
    let mut strange = module();
    strange.description.imports = vec![TABLE.len()];
    write(format::encode(&Stored::Module(Box::new(strange)), &key));
    is_rejected(&store, "an import that is not there");
    let resealed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = format::encode(&Stored::Module(Box::new(module())), &key).concat();
        change(&mut bytes);
        let checksum = *blake3::hash(&bytes[32..]).as_bytes();
        bytes[..32].copy_from_slice(&checksum);
        fs::write(&path, bytes).expect("our file");
    };
    resealed(&|bytes| bytes[47] += 1);
    is_rejected(&store, "another format");
    resealed(&|bytes| bytes[151] = 255);
    is_rejected(&store, "a long artifact");
    resealed(&|bytes| bytes.push(0xff));
    is_rejected(&store, "a bad description");
    write(format::encode(&Stored::Module(Box::new(module())), &key));
    assert_eq!(load(&store), Some(module()));
}

#[test]
fn files_of_others_are_not_trusted() {
    let folder = private_folder();
    let (mut store, path) = filled(&folder);
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("our file");
        is_rejected(&store, &format!("mode {mode:o}"));
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our file");
    assert_eq!(load(&store), Some(module()));
    // As if this process had another user.
    let user = store.folder.user;
    Arc::get_mut(&mut store.folder).expect("no writer").user = user + 1;
    is_rejected(&store, "another owner");
    Arc::get_mut(&mut store.folder).expect("no writer").user = user;

    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&path, &elsewhere).expect("our folder");
    symlink(&elsewhere, &path).expect("our folder");
    is_rejected(&store, "a link");
    fs::remove_file(&path).expect("our folder");
    fs::create_dir(&path).expect("our folder");
    is_rejected(&store, "a folder");
    fs::remove_dir(&path).expect("our folder");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("our folder");
    is_rejected(&store, "a pipe");
}

#[test]
fn other_keys_have_other_files() {
    let folder = private_folder();
    let (store, _) = filled(&folder);
    for other in [
        ModuleIdentity {
            code_hash: [3; 32],
            ..IDENTITY
        },
        ModuleIdentity {
            rules_hash: [3; 32],
            ..IDENTITY
        },
    ] {
        assert_eq!(store.load(&other, TABLE, Ok), None);
    }
    let other = ArtifactStore::open(limits(&folder), "another compiler").expect("private");
    assert_eq!(load(&other), None);
    assert_eq!((store.counters().misses, other.counters().misses), (2, 1));
}

#[test]
fn folders_that_others_can_use_are_refused() {
    let folder = private_folder();
    let limits = limits(&folder);
    let open = || ArtifactStore::open(limits.clone(), "").map(drop);
    for mode in [0o701, 0o710, 0o777] {
        let _ = fs::create_dir(&limits.folder);
        fs::set_permissions(&limits.folder, Permissions::from_mode(mode)).expect("ours");
        assert!(matches!(open(), Err(FolderError::Open { .. })), "{mode:o}");
    }
    assert!(matches!(
        check_folder(folder.path(), unchecked::user() + 1),
        Err(FolderError::Open { .. })
    ));
    fs::remove_dir(&limits.folder).expect("ours");
    symlink(folder.path(), &limits.folder).expect("ours");
    assert!(matches!(open(), Err(FolderError::NoFolder(_))));
    fs::remove_file(&limits.folder).expect("ours");
    File::create(&limits.folder).expect("ours");
    assert!(matches!(open(), Err(FolderError::Io { .. })));
}

#[test]
fn what_was_not_used_for_long_makes_room() {
    let folder = private_folder();
    let (store, path) = filled(&folder);
    let length = fs::metadata(&path).expect("a file").len();
    drop(store);
    let limits = DiskLimits {
        bytes: 3 * length,
        ..limits(&folder)
    };
    let store = ArtifactStore::open(limits, "this compiler").expect("private");
    let identity = |number| ModuleIdentity {
        code_hash: [number; 32],
        ..IDENTITY
    };
    let age = |number, seconds| {
        let file = File::open(store.folder.path(&identity(number))).expect("a file");
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        file.set_modified(time).expect("our file");
    };
    age(1, 10);
    for number in [2, 3] {
        store
            .folder
            .write(&identity(number), &Stored::Module(Box::new(module())))
            .expect("our folder");
        age(number, u64::from(number) * 10);
    }
    // Now the second is the oldest.
    assert_eq!(load(&store), Some(module()));
    store
        .folder
        .write(&identity(4), &Stored::Module(Box::new(module())))
        .expect("our folder");
    let left = [1, 2, 3, 4].map(|number| store.folder.path(&identity(number)).exists());
    assert_eq!(left, [true, false, true, true]);
}

const CONTRACT: &str = r#"(module
    (import "env" "note" (func $note))
    (memory (export "memory") 1 2)
    (data (i32.const 8) "data")
    (global $calls (mut i32) (i32.const 40))
    (func (export "f")
        (call $note)
        (global.set $calls (i32.add (global.get $calls) (i32.const 2)))
        (i32.store (i32.const 0) (global.get $calls))))"#;

/// Runs the contract in what could be a new process: all that can be seen of it, and the counters.
fn run(disk: DiskLimits, cost: u32) -> ((u64, [u8; 16]), DiskCounters) {
    let engine = WasmerEngine::with_disk(WarmLimits::default(), Some(disk));
    let costs = OpcodeCosts::from_map(|_| cost);
    let mut cache = ModuleCache::new(Box::new(engine), TABLE, costs, CacheLimits::default());
    let code = wat::parse_str(CONTRACT).expect("valid");
    let module = cache.compile(&code.into(), Counted::Points).expect("valid");
    assert_eq!(module.exported_functions().len(), 1);
    let mut instance = module.instantiate(1_000).expect("valid");
    let (_, end) = instance.call("f", Box::new(Silent));
    assert_eq!(end, CallEnd::Returned);
    let mut memory = [0; 16];
    instance.read_memory(0, &mut memory).expect("inside");
    ((instance.used_points(), memory), cache.counters().disk)
}

fn counted(hits: u64, misses: u64, rejected: u64) -> DiskCounters {
    DiskCounters {
        hits,
        misses,
        rejected,
        ..DiskCounters::default()
    }
}

/// Equal but for the writes, which are done later.
fn is_counted(counters: DiskCounters, expected: DiskCounters) {
    let settled = DiskCounters {
        written: 0,
        ..counters
    };
    assert_eq!(settled, expected);
}

fn files(disk: &DiskLimits) -> Vec<PathBuf> {
    let entries = fs::read_dir(&disk.folder).expect("a folder");
    entries
        .map(|entry| entry.expect("readable").path())
        .collect()
}

#[test]
fn a_loaded_contract_is_the_compiled_one() {
    let folder = private_folder();
    let disk = limits(&folder);
    let (first, counters) = run(disk.clone(), 1);
    is_counted(counters, counted(0, 1, 0));
    let (second, counters) = run(disk.clone(), 1);
    assert_eq!((second, counters), (first, counted(1, 0, 0)));
    // Other costs are compiled into other code.
    let (dear, counters) = run(disk.clone(), 3);
    is_counted(counters, counted(0, 1, 0));
    assert_eq!(dear.0, 3 * first.0);
    assert_eq!(files(&disk).len(), 2);
}

#[test]
fn damaged_files_are_compiled_again_and_replaced() {
    let folder = private_folder();
    let disk = limits(&folder);
    let (expected, _) = run(disk.clone(), 1);
    let [path] = &files(&disk)[..] else {
        panic!("one file");
    };
    let whole = fs::read(path).expect("a file");
    for at in (0..whole.len()).step_by(whole.len() / 16) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        for bytes in [&flipped[..], &whole[..at]] {
            fs::write(path, bytes).expect("our file");
            let (seen, counters) = run(disk.clone(), 1);
            assert_eq!(seen, expected);
            is_counted(counters, counted(0, 0, 1));
            let (seen, counters) = run(disk.clone(), 1);
            assert_eq!((seen, counters), (expected, counted(1, 0, 0)));
        }
    }
}

/// The checksum is good, but wasmer can't make anything of it.
#[test]
fn what_the_engine_refuses_is_rejected() {
    let folder = private_folder();
    let disk = limits(&folder);
    let (expected, _) = run(disk.clone(), 1);
    let path = files(&disk).remove(0);
    let bytes = fs::read(&path).expect("a file");
    let mut key = [0; format::KEY_BYTES];
    key.copy_from_slice(&bytes[48..144]);
    fs::write(
        &path,
        format::encode(&Stored::Module(Box::new(module())), &key).concat(),
    )
    .expect("our file");
    let (seen, counters) = run(disk, 1);
    assert_eq!(seen, expected);
    is_counted(counters, counted(0, 0, 1));
}

#[test]
fn without_a_folder_everything_works() {
    let folder = private_folder();
    let (expected, _) = run(limits(&folder), 1);
    let file = folder.path().join("file");
    File::create(&file).expect("ours");
    let disk = DiskLimits {
        folder: file.join("modules"),
        bytes: 1 << 20,
    };
    assert_eq!(run(disk, 1), (expected, DiskCounters::default()));
}

#[test]
fn two_stores_share_a_folder() {
    let folder = private_folder();
    let (expected, _) = run(limits(&folder), 1);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(run(limits(&folder), 1).0, expected);
                    let disk = limits(&folder);
                    // The first process removes it; the others compile it or have it.
                    for path in files(&disk) {
                        let _ = fs::remove_file(path);
                    }
                }
            });
        }
    });
    let (seen, counters) = run(limits(&folder), 1);
    assert_eq!((seen, counters.rejected), (expected, 0));
}
