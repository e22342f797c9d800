//! Seccomp: the deny list of system calls.
//!
//! A deny list, not an allow list: the C library and the kernel add calls with each version, and an allow list would
//! break a child that runs with another C library than it was tested with.

use super::layer::LayerError;
use nix::libc::{self, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// When a system call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Always.
    Always,
    /// Unless its first argument is this process: `abort` sends a signal to its own process.
    OfOthers,
    /// Unless its first argument is this process, or 0, which means the same.
    OfOthersOrZero,
    /// Always: it creates a process.
    Process,
    /// Unless it creates a thread rather than a process.
    ButThreads,
}

impl Rule {
    /// Whether a refusal is reported on stderr. The C library blocks all signals while it creates a process, and a
    /// SIGSYS then would end this process.
    pub fn is_told(self) -> bool {
        !matches!(self, Rule::Process | Rule::ButThreads)
    }
}

/// A system call that is refused.
#[derive(Debug, Clone, Copy)]
pub struct SystemCall {
    /// Its name.
    pub name: &'static str,
    /// Its number on this machine.
    pub number: c_long,
    /// When it is refused.
    pub rule: Rule,
}

macro_rules! system_calls {
    ($($rule:ident: $($number:ident)*;)*) => {
        &[$($(SystemCall {
            name: stringify!($number).split_at(4).1,
            number: libc::$number,
            rule: Rule::$rule,
        },)*)*]
    };
}

/// The refused system calls that exist on every architecture.
const COMMON: &[SystemCall] = system_calls! {
    // Programs and processes.
    Always: SYS_execve SYS_execveat SYS_unshare SYS_setns;
    ButThreads: SYS_clone;
    // Other processes.
    Always: SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_process_madvise SYS_kcmp SYS_pidfd_open
        SYS_pidfd_getfd SYS_pidfd_send_signal SYS_rt_sigqueueinfo SYS_rt_tgsigqueueinfo SYS_tkill SYS_migrate_pages SYS_move_pages;
    OfOthers: SYS_kill SYS_tgkill;
    OfOthersOrZero: SYS_prlimit64;
    // The network, and other processes' sockets.
    Always: SYS_socket SYS_socketpair SYS_connect SYS_bind SYS_listen SYS_accept SYS_accept4 SYS_sendto SYS_sendmsg SYS_sendmmsg
        SYS_recvfrom SYS_recvmsg SYS_recvmmsg;
    // Ways around this filter.
    Always: SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register SYS_bpf SYS_userfaultfd SYS_perf_event_open SYS_seccomp
        SYS_memfd_secret SYS_name_to_handle_at SYS_open_by_handle_at;
    // Shared memory and queues between processes.
    Always: SYS_shmget SYS_shmat SYS_shmctl SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_semget SYS_semop SYS_semctl
        SYS_mq_open SYS_mq_unlink;
    // The machine.
    Always: SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_open_tree SYS_move_mount SYS_fsopen SYS_fsconfig SYS_fsmount
        SYS_fspick SYS_mount_setattr SYS_swapon SYS_swapoff SYS_reboot SYS_sethostname SYS_setdomainname SYS_init_module
        SYS_finit_module SYS_delete_module SYS_kexec_load SYS_acct SYS_syslog SYS_quotactl SYS_settimeofday SYS_clock_settime
        SYS_adjtimex SYS_clock_adjtime SYS_add_key SYS_request_key SYS_keyctl SYS_fanotify_init SYS_inotify_init1
        SYS_personality;
    // User and group of the process.
    Always: SYS_setuid SYS_setgid SYS_setreuid SYS_setregid SYS_setresuid SYS_setresgid SYS_setfsuid SYS_setfsgid
        SYS_setgroups SYS_capset SYS_setsid SYS_setpgid;
    // Links, names and permissions of files.
    Always: SYS_symlinkat SYS_linkat SYS_mknodat SYS_fchownat SYS_setxattr SYS_lsetxattr SYS_fsetxattr;
};

/// Older system calls, which newer architectures don't have.
#[cfg(target_arch = "x86_64")]
const OLD: &[SystemCall] = system_calls! {
    Process: SYS_fork SYS_vfork;
    Always: SYS_symlink SYS_link SYS_mknod SYS_chown SYS_lchown SYS_inotify_init SYS_iopl SYS_ioperm
        SYS_modify_ldt SYS_uselib SYS_ustat SYS__sysctl SYS_kexec_file_load;
};
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[SystemCall] = &[];

/// All refused system calls, in two parts: those of every architecture, and the rest.
pub const SYSTEM_CALLS: [&[SystemCall]; 2] = [COMMON, OLD];

/// The name of a refused system call.
pub(super) fn name(number: c_long) -> &'static str {
    let all = SYSTEM_CALLS.iter().copied().flatten();
    let mut named = all.filter(|call| call.number == number);
    named.next().map_or("unknown", |call| call.name)
}

/// Applies the filter to this thread and all that it starts. The SIGSYS handler must be installed. Returns how many
/// calls are refused.
///
/// A filter of the crate has one way to refuse, and there are three. They become one program: the kernel takes longer to
/// accept a filter than the child takes for all the rest of its sandbox.
pub fn filter() -> Result<String, LayerError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let own = std::process::id();
    let mut program = BpfProgram::new();
    let mut refused = 0;
    let mut extend = |rules: BTreeMap<c_long, Vec<SeccompRule>>, refusal| {
        refused += rules.len();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, architecture)?;
        go_on(&mut program, filter.try_into()?);
        Ok::<_, LayerError>(())
    };
    // The arguments of clone3 are in memory, which a filter can't read. The C library falls back to clone when clone3
    // is missing.
    let unknown = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    extend(unknown, SeccompAction::Errno(libc::ENOSYS as u32))?;
    for is_told in [false, true] {
        let mut rules = BTreeMap::new();
        for call in SYSTEM_CALLS.into_iter().flatten() {
            if call.rule.is_told() == is_told {
                rules.insert(call.number, conditions(call.rule, own)?);
            }
        }
        let refusal = match is_told {
            true => SeccompAction::Trap,
            false => SeccompAction::Errno(libc::EPERM as u32),
        };
        extend(rules, refusal)?;
    }
    seccompiler::apply_filter(&program)?;
    Ok(format!("{refused} system calls refused"))
}

/// Adds a filter to a program: what the program would allow, the filter decides.
fn go_on(program: &mut BpfProgram, filter: BpfProgram) {
    let end = program.len();
    let allow = u32::from(SeccompAction::Allow);
    for (index, instruction) in program.iter_mut().enumerate() {
        if u32::from(instruction.code) == libc::BPF_RET | libc::BPF_K && instruction.k == allow {
            // A jump is counted from the next instruction.
            let distance = (end - index - 1) as u32;
            (instruction.code, instruction.k) = ((libc::BPF_JMP | libc::BPF_JA) as u16, distance);
        }
    }
    program.extend(filter);
}

/// The conditions under which a call is refused; an empty list means always.
fn conditions(rule: Rule, own: u32) -> Result<Vec<SeccompRule>, LayerError> {
    let is_other_than = |process: u32| {
        let other = SeccompCmpOp::Ne;
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, other, process.into())
    };
    let conditions = match rule {
        Rule::Always | Rule::Process => return Ok(Vec::new()),
        // A signal to 0 goes to the process group, one to a negative number to a group or to all.
        Rule::OfOthers => vec![is_other_than(own)?],
        Rule::OfOthersOrZero => vec![is_other_than(own)?, is_other_than(0)?],
        Rule::ButThreads => {
            let is_unset = SeccompCmpOp::MaskedEq(libc::CLONE_THREAD as u64);
            vec![SeccompCondition::new(
                0,
                SeccompCmpArgLen::Qword,
                is_unset,
                0,
            )?]
        }
    };
    Ok(vec![SeccompRule::new(conditions)?])
}
