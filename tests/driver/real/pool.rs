//! A pool of children: who is served when, what is refused, and whom a child that dies takes along.

use super::node::{call_input, config, wasm};
use crate::common::{CONTRACT, world};
use crate::setup::{self, Hook, OVERSHOOT, alone, holdings, holdings_like, input};
use arwen::driver::{Blame, Driver, DriverConfig, DriverPool, Fault, PoolConfig, PoolError};
use arwen::hooks::BlockchainHook;
use arwen::internal::scenario::{Account, SharedWorld};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const SOURCE: &str = r#"(module
    (import "env" "int64finish" (func $finish (param i64)))
    (memory (export "memory") 1)
    (func (export "spin") (loop (br 0)))
    (func (export "answer") (call $finish (i64.const 42))))"#;

const A_MOMENT: Duration = Duration::from_millis(300);

fn pool(children: usize, change: impl FnOnce(PoolConfig) -> PoolConfig) -> DriverPool<SharedWorld> {
    let world = world();
    let mut account = Account::default();
    account.set_code(wasm(SOURCE));
    world.lock().accounts.insert(CONTRACT, account);
    let config = change(PoolConfig::new(config()).children(children));
    DriverPool::new(config, |_| world.clone()).expect("the children start")
}

fn is_served(pool: &DriverPool<SharedWorld>) {
    let outcome = pool.query(call_input("answer", 1_000_000));
    let output = outcome.expect("a child").expect("no failure of the VM");
    assert_eq!(
        (output.return_code, &output.return_data[..]),
        (0, &["\x2a".into()][..])
    );
}

fn keep_busy<H: BlockchainHook>(driver: &mut Driver<H>, time: Duration) {
    let waited = driver.diagnose_wait(time).expect("no critical error");
    waited.expect("no failure of the VM");
}

/// Waits until so many queries wait.
fn until_waiting<H>(pool: &DriverPool<H>, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while pool.stats().waiting != count {
        assert!(Instant::now() < deadline, "{:?}", pool.stats());
        std::thread::yield_now();
    }
}

#[test]
fn children_serve_at_the_same_time() {
    let pool = pool(3, |config| config);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| keep_busy(&mut pool.lease().expect("one for each"), A_MOMENT));
        }
    });
    let took = start.elapsed();
    assert!(took >= A_MOMENT && took < 2 * A_MOMENT, "{took:?}");
    let stats = pool.stats();
    assert_eq!(
        (stats.served_total, stats.serving, stats.waiting),
        (3, 0, 0)
    );
    let requests: Vec<_> = stats
        .children
        .iter()
        .map(|child| child.requests_total)
        .collect();
    assert_eq!(requests, [1, 1, 1]);
    assert_eq!(pool.waits().count(), 3);
}

#[test]
fn a_child_that_is_killed_costs_the_query_that_it_runs() {
    let pool = pool(2, |config| config);
    let (report, running) = channel();
    std::thread::scope(|scope| {
        let endless = scope.spawn(|| {
            let mut lease = pool.lease().expect("a child");
            report
                .send(lease.child_id().expect("it lives"))
                .expect("heard");
            lease
                .call(call_input("spin", u64::MAX))
                .expect_err("it is killed")
        });
        let victim = running.recv().expect("it runs");
        for _ in 0..10 {
            is_served(&pool);
        }
        kill(Pid::from_raw(victim as i32), Signal::SIGKILL).expect("it lives");
        let error = endless.join().expect("no panic");
        // On a busy machine it may still wait for its contract, which can't be sent then.
        assert!(
            matches!(
                error.fault,
                Fault::Closed(_) | Fault::CannotSendHookResponse(_)
            ),
            "{error}"
        );
        assert!(error.to_string().contains("SIGKILL"), "{error}");
        assert_eq!(error.blame(), Blame::Arwen);
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10).for_each(|_| is_served(&pool)));
        }
    });
    // Both are there again.
    let mut both = [pool.lease().expect("one"), pool.lease().expect("two")];
    both.iter_mut()
        .for_each(|lease| keep_busy(lease, Duration::ZERO));
    drop(both);
    let children = pool.stats().children;
    let errors: u64 = children
        .iter()
        .map(|child| child.critical_errors_total)
        .sum();
    let starts: u64 = children.iter().map(|child| child.starts_total).sum();
    assert_eq!((errors, starts), (1, 3));
}

#[test]
fn the_error_of_a_query_names_its_child() {
    let pool = pool(1, |mut config| {
        config.driver.max_loop_time = Duration::from_millis(300);
        config
    });
    let error = pool
        .query(call_input("spin", u64::MAX))
        .expect_err("no end");
    let PoolError::Critical {
        child: 0,
        error: critical,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(critical.blame(), Blame::Time);
    assert_eq!(error.to_string(), "child 0 of the pool has failed");
    let source = std::error::Error::source(&error).expect("the cause");
    assert!(
        source.to_string().contains("arwen time expired"),
        "{source}"
    );
    is_served(&pool);
}

#[test]
fn those_who_wait_are_served_in_the_order_in_which_they_came() {
    const WAITING: usize = 8;
    let pool = pool(1, |config| config.wait(Duration::from_secs(20)));
    let (done, order) = channel();
    let lease = pool.lease().expect("the only one");
    std::thread::scope(|scope| {
        for number in 0..WAITING {
            let (pool, done) = (&pool, done.clone());
            scope.spawn(move || {
                let mut lease = pool.lease().expect("in time");
                done.send(number).expect("heard");
                keep_busy(&mut lease, Duration::from_millis(2));
            });
            until_waiting(pool, number + 1);
        }
        drop(lease);
        // One that comes last can't overtake them.
        is_served(&pool);
        done.send(WAITING).expect("heard");
    });
    drop(done);
    assert!(order.iter().eq(0..=WAITING));
}

#[test]
fn what_is_too_much_is_refused() {
    let wait = Duration::from_millis(250);
    let pool = pool(1, |config| config.queue(1).wait(wait));
    let lease = pool.lease().expect("the only one");
    std::thread::scope(|scope| {
        let late = scope.spawn(|| {
            let start = Instant::now();
            (
                pool.lease().map(drop).expect_err("it is busy"),
                start.elapsed(),
            )
        });
        until_waiting(&pool, 1);
        let error = pool.query(call_input("answer", 1000)).expect_err("full");
        assert!(matches!(error, PoolError::Full { waiting: 1 }), "{error}");
        let (error, took) = late.join().expect("no panic");
        assert!(
            matches!(error, PoolError::Busy { children: 1, .. }),
            "{error}"
        );
        assert!(took >= wait && took < wait + OVERSHOOT, "{took:?}");
    });
    drop(lease);
    is_served(&pool);
    let stats = pool.stats();
    assert_eq!(
        (stats.served_total, stats.full_total, stats.busy_total),
        (2, 1, 1)
    );
}

#[test]
fn a_child_that_keeps_dying_leaves_the_queries_to_the_others() {
    let config = PoolConfig::new(setup::config("child")).children(2);
    let pool = DriverPool::new(config.wait(Duration::from_secs(10)), |_| Hook::default());
    let pool = pool.expect("the children start");
    let (mut dying, other) = (pool.lease().expect("one"), pool.lease().expect("two"));
    // Its next start is put off by half a second at least.
    for _ in 0..5 {
        dying.call(input("abort")).expect_err("it dies");
    }
    let (dying_number, number) = (dying.number(), other.number());
    drop((dying, other));
    for _ in 0..20 {
        assert_eq!(pool.lease().expect("in time").number(), number);
        pool.query(input("ok"))
            .expect("the other serves")
            .expect("it works");
    }
    // Who finds the other one busy waits for the start, and then it works.
    let _other = pool.lease().expect("free");
    let mut lease = pool.lease().expect("in time");
    assert_eq!(lease.number(), dying_number);
    lease
        .call(input("ok"))
        .expect("a fresh child")
        .expect("it works");
}

#[test]
fn a_hook_that_panics_costs_its_own_query() {
    let config = PoolConfig::new(setup::config("child")).children(1);
    let pool = DriverPool::new(config, |_| Hook::default()).expect("the child starts");
    pool.lease().expect("free").hook_mut().panics = true;
    std::thread::scope(|scope| {
        let query = scope.spawn(|| pool.query(input("hooks")));
        query.join().expect_err("the hook panics");
    });
    pool.lease().expect("free").hook_mut().panics = false;
    pool.query(input("hooks"))
        .expect("a fresh child")
        .expect("it works");
}

#[test]
fn a_pool_that_can_not_work_is_not_made() {
    let refused = |config: PoolConfig| {
        let pool = DriverPool::new(config, |_| Hook::default());
        pool.map(drop).expect_err("refused")
    };
    let good = PoolConfig::new(setup::config("child"));
    let error = refused(good.clone().children(0));
    assert!(matches!(error, PoolError::NoChildren), "{error}");
    let shared: DriverConfig = setup::config("child").share_core(true);
    let error = refused(good.clone().driver(shared));
    assert!(matches!(error, PoolError::SharedCore), "{error}");
    let broken = setup::config("exit-at-start");
    let error = refused(good.driver(broken).children(3));
    assert!(
        matches!(error, PoolError::Critical { child: 0, .. }),
        "{error}"
    );
}

#[test]
fn nothing_is_left_of_a_pool() {
    let name = "real::pool::nothing_is_left_of_a_pool";
    if !alone(name, |_| {}) {
        return;
    }
    let before = holdings();
    let pool = pool(3, |config| config);
    is_served(&pool);
    assert_ne!(holdings(), before);
    drop(pool);
    assert_eq!(holdings_like(&before), before);
}
