;; A token. `init` gives all of it to who deploys; holders `transfer` it, or `approve` that somebody else does so with
;; `transferFrom`. Amounts are integers of any size. Every function but the views emits an event: who, whom, how much.
(module
  (import "env" "getArgument" (func $argument (param i32 i32) (result i32)))
  (import "env" "getArgumentLength" (func $argumentLength (param i32) (result i32)))
  (import "env" "getCaller" (func $caller (param i32)))
  (import "env" "signalError" (func $signal (param i32 i32)))
  (import "env" "writeLog" (func $log (param i32 i32 i32 i32)))
  (import "env" "bigIntGetUnsignedArgument" (func $numberArgument (param i32 i32)))
  (import "env" "bigIntCmp" (func $compare (param i32 i32) (result i32)))
  (import "env" "bigIntAdd" (func $add (param i32 i32 i32)))
  (import "env" "bigIntSub" (func $subtract (param i32 i32 i32)))
  (import "env" "bigIntFinishUnsigned" (func $finish (param i32)))
  (import "env" "bigIntGetUnsignedBytes" (func $bytes (param i32 i32) (result i32)))
  (import "env" "bigIntStorageLoadUnsigned" (func $load (param i32 i32 i32) (result i32)))
  (import "env" "bigIntStorageStoreUnsigned" (func $store (param i32 i32 i32) (result i32)))

  ;; Storage keys: at 0 and 64 a B and an address, for balances; at 128 an A, the owner and the spender, for allowances;
  ;; at 256 the supply. At 300 the topics of an event: its name and two addresses; at 600 its data.
  (memory (export "memory") 1)
  (data (i32.const 0) "B")
  (data (i32.const 64) "B")
  (data (i32.const 128) "A")
  (data (i32.const 256) "SUPPLY")
  (data (i32.const 400) "transfer________________________")
  (data (i32.const 432) "approve_________________________")
  (data (i32.const 500) "not an address")
  (data (i32.const 520) "not enough")

  ;; The big integers.
  (global $amount i32 (i32.const 0))
  (global $have i32 (i32.const 1))

  ;; Reads an argument that must be an address.
  (func $addressArgument (param $index i32) (param $to i32)
    (if (i32.ne (call $argumentLength (local.get $index)) (i32.const 32))
      (then (call $signal (i32.const 500) (i32.const 14))))
    (drop (call $argument (local.get $index) (local.get $to))))

  (func $copyAddress (param $from i32) (param $to i32)
    (i64.store (local.get $to) (i64.load (local.get $from)))
    (i64.store offset=8 (local.get $to) (i64.load offset=8 (local.get $from)))
    (i64.store offset=16 (local.get $to) (i64.load offset=16 (local.get $from)))
    (i64.store offset=24 (local.get $to) (i64.load offset=24 (local.get $from))))

  ;; Takes the amount from what is stored under a key; that must be enough.
  (func $take (param $key i32) (param $length i32)
    (drop (call $load (local.get $key) (local.get $length) (global.get $have)))
    (if (i32.lt_s (call $compare (global.get $have) (global.get $amount)) (i32.const 0))
      (then (call $signal (i32.const 520) (i32.const 10))))
    (call $subtract (global.get $have) (global.get $have) (global.get $amount))
    (drop (call $store (local.get $key) (local.get $length) (global.get $have))))

  ;; Moves the amount between the balances of the keys at 0 and 64.
  (func $move
    (call $take (i32.const 0) (i32.const 33))
    (drop (call $load (i32.const 64) (i32.const 33) (global.get $have)))
    (call $add (global.get $have) (global.get $have) (global.get $amount))
    (drop (call $store (i32.const 64) (i32.const 33) (global.get $have)))
    (call $emit (i32.const 400) (i32.const 1) (i32.const 65)))

  (func $emit (param $name i32) (param $who i32) (param $whom i32)
    (call $copyAddress (local.get $name) (i32.const 300))
    (call $copyAddress (local.get $who) (i32.const 332))
    (call $copyAddress (local.get $whom) (i32.const 364))
    (call $log
      (i32.const 600) (call $bytes (global.get $amount) (i32.const 600))
      (i32.const 300) (i32.const 3)))

  (func $return (param $key i32) (param $length i32)
    (drop (call $load (local.get $key) (local.get $length) (global.get $have)))
    (call $finish (global.get $have)))

  (func (export "init")
    (call $numberArgument (i32.const 0) (global.get $amount))
    (call $caller (i32.const 1))
    (drop (call $store (i32.const 0) (i32.const 33) (global.get $amount)))
    (drop (call $store (i32.const 256) (i32.const 6) (global.get $amount))))

  ;; To whom, how much.
  (func (export "transfer")
    (call $caller (i32.const 1))
    (call $addressArgument (i32.const 0) (i32.const 65))
    (call $numberArgument (i32.const 1) (global.get $amount))
    (call $move))

  ;; Who may spend, how much.
  (func (export "approve")
    (call $caller (i32.const 129))
    (call $addressArgument (i32.const 0) (i32.const 161))
    (call $numberArgument (i32.const 1) (global.get $amount))
    (drop (call $store (i32.const 128) (i32.const 65) (global.get $amount)))
    (call $emit (i32.const 432) (i32.const 129) (i32.const 161)))

  ;; From whom, to whom, how much.
  (func (export "transferFrom")
    (call $addressArgument (i32.const 0) (i32.const 1))
    (call $addressArgument (i32.const 1) (i32.const 65))
    (call $numberArgument (i32.const 2) (global.get $amount))
    (call $copyAddress (i32.const 1) (i32.const 129))
    (call $caller (i32.const 161))
    (call $take (i32.const 128) (i32.const 65))
    (call $move))

  (func (export "balanceOf")
    (call $addressArgument (i32.const 0) (i32.const 1))
    (call $return (i32.const 0) (i32.const 33)))

  ;; The owner, the spender.
  (func (export "allowance")
    (call $addressArgument (i32.const 0) (i32.const 129))
    (call $addressArgument (i32.const 1) (i32.const 161))
    (call $return (i32.const 128) (i32.const 65)))

  (func (export "totalSupply")
    (call $return (i32.const 256) (i32.const 6))))
