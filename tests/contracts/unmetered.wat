;; Work of host functions that costs the same gas however long it takes (docs/spec/eei.md#limit-of-work). Each function whose name
;; begins with `work_` does one kind of it for ever, or so often that it is too much.
;;
;; Memory: names at 0; the contract's own address at 32; a counter at 64, which also is the identifier of promises; a value of
;; zero at 128. It ends at 1114112: what is read from there on are zeros, which are not copied.
(module
  (import "env" "sha256" (func $sha256 (param i32 i32 i32) (result i32)))
  (import "env" "keccak256" (func $keccak256 (param i32 i32 i32) (result i32)))
  (import "env" "clearStorageLock" (func $clearStorageLock (param i32 i32) (result i32)))
  (import "env" "getStorageLock" (func $getStorageLock (param i32 i32) (result i64)))
  (import "env" "storageLoadLength" (func $storageLoadLength (param i32 i32) (result i32)))
  (import "env" "int64storageStore" (func $int64storageStore (param i32 i32 i64) (result i32)))
  (import "env" "executeReadOnly"
    (func $executeReadOnly (param i64 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "executeOnDestContext"
    (func $executeOnDestContext (param i64 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "executeOnSameContext"
    (func $executeOnSameContext (param i64 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "createAsyncCall"
    (func $createAsyncCall (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64)))
  (import "env" "transferValue" (func $transferValue (param i32 i32 i32 i32) (result i32)))
  (import "env" "getSCAddress" (func $getSCAddress (param i32)))
  (import "env" "writeLog" (func $writeLog (param i32 i32 i32 i32)))
  (import "env" "finish" (func $finish (param i32 i32)))
  (import "env" "int64finish" (func $int64finish (param i64)))
  (import "env" "bigIntSetInt64" (func $bigIntSetInt64 (param i32 i64)))
  (import "env" "bigIntShl" (func $bigIntShl (param i32 i32 i32)))
  (import "env" "bigIntAdd" (func $bigIntAdd (param i32 i32 i32)))
  (import "env" "bigIntSub" (func $bigIntSub (param i32 i32 i32)))
  (import "env" "bigIntMul" (func $bigIntMul (param i32 i32 i32)))
  (import "env" "bigIntTDiv" (func $bigIntTDiv (param i32 i32 i32)))
  (import "env" "bigIntGetUnsignedBytes" (func $bigIntGetUnsignedBytes (param i32 i32) (result i32)))
  (import "env" "bigIntSetUnsignedBytes" (func $bigIntSetUnsignedBytes (param i32 i32 i32)))

  (memory (export "memory") 17)
  (data (i32.const 0) "leaf")
  (data (i32.const 8) "log")
  (data (i32.const 16) "items")
  (data (i32.const 24) "touch")
  (global $end i32 (i32.const 0x110000))
  (global $own i32 (i32.const 32))
  (global $zero i32 (i32.const 128))
  (global $mebibyte i32 (i32.const 0x100000))

  (func (export "init"))

  ;; Hashes.
  (func (export "work_sha256")
    (loop (drop (call $sha256 (global.get $end) (global.get $mebibyte) (i32.const 0))) (br 0)))
  (func (export "work_keccak256")
    (loop (drop (call $keccak256 (global.get $end) (global.get $mebibyte) (i32.const 0))) (br 0)))

  ;; Storage keys.
  (func (export "work_clear_lock")
    (loop (drop (call $clearStorageLock (global.get $end) (global.get $mebibyte))) (br 0)))
  (func (export "work_get_lock")
    (loop (drop (call $getStorageLock (global.get $end) (global.get $mebibyte))) (br 0)))
  (func (export "work_load")
    (loop (drop (call $storageLoadLength (global.get $end) (global.get $mebibyte))) (br 0)))
  (func (export "work_store")
    (loop
      (drop (call $int64storageStore (global.get $end) (global.get $mebibyte) (i64.const 1)))
      (br 0)))

  ;; Arguments of nested executions: the name of the function, many empty ones, and a long one.
  (func (export "work_function_name")
    (call $getSCAddress (global.get $own))
    (loop (call $on_dest (global.get $end) (global.get $mebibyte)) (br 0)))
  (func (export "work_arguments")
    (call $getSCAddress (global.get $own))
    (loop (call $read_only (i32.const 0) (i32.const 4) (i32.const 100000)) (br 0)))
  (func (export "work_long_argument")
    (call $getSCAddress (global.get $own))
    ;; The length of the only argument.
    (i32.store (i32.const 192) (global.get $mebibyte))
    (loop
      (drop (call $executeReadOnly (i64.const 0xfffffffff) (global.get $own) (i32.const 0)
        (i32.const 4) (i32.const 1) (i32.const 192) (i32.const 256)))
      (br 0)))

  ;; What nested executions set aside: a long number, many numbers, and many items of return data.
  (func (export "work_long_number_set_aside")
    (call $getSCAddress (global.get $own))
    (call $long_number (i32.const 1) (i32.const 0x10000000))
    (loop (call $on_same) (br 0)))
  (func (export "work_numbers_set_aside") (local $count i32)
    (call $getSCAddress (global.get $own))
    (loop
      (call $bigIntSetInt64 (local.get $count) (i64.const 1))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $count) (i32.const 20000))))
    (loop (call $on_same) (br 0)))
  (func (export "work_items_set_aside") (local $count i32)
    (call $getSCAddress (global.get $own))
    (loop
      (call $int64finish (i64.const 0))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $count) (i32.const 20000))))
    (loop (call $read_only (i32.const 0) (i32.const 4) (i32.const 0)) (br 0)))

  (func (export "work_topics_set_aside")
    (call $getSCAddress (global.get $own))
    (call $writeLog (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 30000))
    (loop (call $on_same) (br 0)))

  ;; Storage values, of which each execution writes one, and accounts with a transfer.
  (func (export "work_values_set_aside") (local $count i32)
    (call $getSCAddress (global.get $own))
    (loop
      (call $count)
      (drop (call $int64storageStore (i32.const 64) (i32.const 8) (i64.const 1)))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $count) (i32.const 20000))))
    (loop (call $on_dest (i32.const 24) (i32.const 5)) (br 0)))
  (func (export "work_accounts_set_aside") (local $count i32)
    (call $getSCAddress (global.get $own))
    (loop
      (call $count)
      (drop (call $transferValue (i32.const 64) (global.get $zero) (i32.const 0) (i32.const 0)))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $count) (i32.const 20000))))
    (loop (call $on_dest (i32.const 0) (i32.const 4)) (br 0)))

  ;; Topics and items of return data, of which none is kept: events are dropped in read-only mode, and `items` fails.
  (func (export "work_topics")
    (call $getSCAddress (global.get $own))
    (loop (call $read_only (i32.const 8) (i32.const 3) (i32.const 0)) (br 0)))
  (func (export "work_items")
    (call $getSCAddress (global.get $own))
    (loop (call $on_dest (i32.const 16) (i32.const 5)) (br 0)))

  ;; Promises of one group, of very many, and whether their destinations have code.
  (func (export "work_promises")
    (loop (call $promise (global.get $own)) (br 0)))
  (func (export "work_groups")
    (loop
      (call $count)
      (call $promise (global.get $own))
      (br 0)))
  (func (export "work_promised_calls") (local $count i32)
    (loop
      (call $count)
      (call $promise_in (i32.const 0) (i32.const 64))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $count) (i32.const 110000)))))

  ;; Promises with long data, and with very many arguments.
  (func (export "work_promised_data") (local $count i32)
    (loop
      (call $promise_of (global.get $end) (global.get $mebibyte) (i32.const 224))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $count) (i32.const 300)))))
  (func (export "work_promised_arguments") (local $count i32)
    (call $getSCAddress (global.get $own))
    ;; leaf@@@...
    (i32.store (i32.const 4096) (i32.load (i32.const 0)))
    (local.set $count (i32.const 4100))
    (loop
      (i32.store (local.get $count) (i32.const 0x40404040))
      (local.set $count (i32.add (local.get $count) (i32.const 4)))
      (br_if 0 (i32.lt_u (local.get $count) (i32.const 1000000))))
    (local.set $count (i32.const 0))
    (loop
      (call $promise_of (i32.const 4096) (i32.const 990000) (global.get $own))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $count) (i32.const 20)))))

  ;; Big integers.
  (func (export "work_add")
    (call $long_number (i32.const 1) (i32.const 0x10000000))
    (loop (call $bigIntAdd (i32.const 2) (i32.const 1) (i32.const 1)) (br 0)))
  (func (export "work_multiply")
    (call $long_number (i32.const 1) (i32.const 0x800000))
    (loop (call $bigIntMul (i32.const 2) (i32.const 1) (i32.const 1)) (br 0)))
  (func (export "work_divide")
    (call $long_number (i32.const 1) (i32.const 0x100000))
    (call $long_number (i32.const 2) (i32.const 0x80000))
    ;; So that the quotient has few zeros.
    (call $bigIntSetInt64 (i32.const 3) (i64.const 12345))
    (call $bigIntMul (i32.const 2) (i32.const 2) (i32.const 3))
    (loop (call $bigIntTDiv (i32.const 3) (i32.const 1) (i32.const 2)) (br 0)))
  (func (export "work_shift")
    (call $bigIntSetInt64 (i32.const 1) (i64.const 1))
    (loop (call $bigIntShl (i32.const 2) (i32.const 1) (i32.const 0x10000000)) (br 0)))
  (func (export "work_bytes_of_numbers")
    (loop
      (call $bigIntSetUnsignedBytes (i32.const 1) (i32.const 0) (global.get $mebibyte))
      (drop (call $bigIntGetUnsignedBytes (i32.const 1) (i32.const 0)))
      (br 0)))

  ;; Up to 1,024 bytes are free.
  (func (export "short")
    (drop (call $sha256 (i32.const 1) (i32.const 1024) (i32.const 100)))
    (call $int64finish (i64.const 32)))

  ;; What the functions above call.
  (func (export "leaf"))
  (func (export "items") (local $count i32)
    (loop
      (call $finish (i32.const 0) (i32.const 0))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $count) (i32.const 100000))))
    unreachable)
  (func (export "log")
    (loop (call $writeLog (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 30000)) (br 0)))

  (func (export "touch")
    (drop (call $int64storageStore (i32.const 64) (i32.const 8) (i64.const 1))))

  (func $count
    (i64.store (i32.const 64) (i64.add (i64.load (i32.const 64)) (i64.const 1))))
  (func $on_dest (param $name i32) (param $length i32)
    (drop (call $executeOnDestContext (i64.const 0xfffffffff) (global.get $own) (global.get $zero)
      (local.get $name) (local.get $length) (i32.const 0) (i32.const 0) (i32.const 0))))
  (func $read_only (param $name i32) (param $length i32) (param $arguments i32)
    (drop (call $executeReadOnly (i64.const 0xfffffffff) (global.get $own) (local.get $name)
      (local.get $length) (local.get $arguments) (global.get $end) (i32.const 0))))
  (func $on_same
    (drop (call $executeOnSameContext (i64.const 0xfffffffff) (global.get $own) (global.get $zero)
      (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0))))
  (func $promise (param $destination i32)
    (call $promise_in (i32.const 64) (local.get $destination)))
  (func $promise_in (param $group i32) (param $destination i32)
    (call $createAsyncCall (local.get $group) (i32.const 8) (local.get $destination) (global.get $zero)
      (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0)))
  (func $promise_of (param $data i32) (param $length i32) (param $destination i32)
    (call $createAsyncCall (i32.const 0) (i32.const 4) (local.get $destination) (global.get $zero)
      (local.get $data) (local.get $length) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4)
      (i64.const 0)))
  ;; All its bits are ones: zeros would be quick to multiply.
  (func $long_number (param $handle i32) (param $bits i32)
    (call $bigIntSetInt64 (i32.const 9) (i64.const 1))
    (call $bigIntShl (local.get $handle) (i32.const 9) (local.get $bits))
    (call $bigIntSub (local.get $handle) (local.get $handle) (i32.const 9))))
