;; A counter: `init` sets it to 1, `increment` and `decrement` change it and return the new value, `get` returns it.
(module
  (import "env" "int64storageLoad" (func $load (param i32 i32) (result i64)))
  (import "env" "int64storageStore" (func $store (param i32 i32 i64) (result i32)))
  (import "env" "int64finish" (func $finish (param i64)))

  (memory (export "memory") 1)
  ;; The storage key.
  (data (i32.const 0) "COUNTER")

  (func $read (result i64)
    (call $load (i32.const 0) (i32.const 7)))

  (func $write (param $value i64)
    (drop (call $store (i32.const 0) (i32.const 7) (local.get $value))))

  (func $add (param $difference i64)
    (local $value i64)
    (local.set $value (i64.add (call $read) (local.get $difference)))
    (call $write (local.get $value))
    (call $finish (local.get $value)))

  (func (export "init")
    (call $write (i64.const 1)))

  (func (export "increment")
    (call $add (i64.const 1)))

  (func (export "decrement")
    (call $add (i64.const -1)))

  (func (export "get")
    (call $finish (call $read))))
