//! tmp
#[path = "../benches/support/mod.rs"]
mod support;
use arwen::driver::ReadAhead;
use arwen::messages::Format;
use support::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n: u64 = args[1].parse().unwrap();
    let on = args[2] == "on";
    let reads = args.get(3).map(String::as_str) == Some("reads");
    let config = config(
        &std::env::var("TMPR_CHILD")
            .map_or_else(|_| own_binary(), Into::into)
            .as_path(),
        Format::Json,
    )
    .share_core(true)
    .read_ahead(if on {
        ReadAhead::default()
    } else {
        ReadAhead::OFF
    });
    const READS: &str = r#"(module
  (import "env" "storageLoad" (func $load (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "a_storage_key_of_32_bytes_______")
  (func (export "init"))
  (func (export "increment")
    (local $i i32)
    (loop $again
      (i32.store8 (i32.const 31) (local.get $i))
      (drop (call $load (i32.const 0) (i32.const 32) (i32.const 64)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 100))))))"#;
    let code = if reads { READS } else { COUNTER };
    let mut driver = deployed(config, wat::parse_str(code).unwrap().into(), &[]);
    let t = timed(n, || call(&mut driver, "increment", &[]));
    println!("{:.2} us", t.as_secs_f64() * 1e6 / n as f64);
}
