;; An adder as compilers make it: a stack pointer, 17 pages of memory, a check for payment. `init` and `add` take a number;
;; `getSum` returns the sum.
(module
  (import "env" "getNumArguments" (func $getNumArguments (result i32)))
  (import "env" "bigIntNew" (func $bigIntNew (param i64) (result i32)))
  (import "env" "bigIntGetCallValue" (func $bigIntGetCallValue (param i32)))
  (import "env" "bigIntSign" (func $bigIntSign (param i32) (result i32)))
  (import "env" "bigIntGetUnsignedArgument" (func $bigIntGetUnsignedArgument (param i32 i32)))
  (import "env" "bigIntStorageLoadUnsigned" (func $bigIntStorageLoadUnsigned (param i32 i32 i32) (result i32)))
  (import "env" "bigIntStorageStoreUnsigned" (func $bigIntStorageStoreUnsigned (param i32 i32 i32) (result i32)))
  (import "env" "bigIntAdd" (func $bigIntAdd (param i32 i32 i32)))
  (import "env" "bigIntFinishUnsigned" (func $bigIntFinishUnsigned (param i32)))
  (import "env" "signalError" (func $signalError (param i32 i32)))

  (memory (export "memory") 17)
  (global $stack (mut i32) (i32.const 1048576))
  (data (i32.const 1048576) "sumwrong number of argumentsfunction does not accept payment")

  (func $refuse_payment
    (local $value i32)
    (call $bigIntGetCallValue (local.tee $value (call $bigIntNew (i64.const 0))))
    (if (call $bigIntSign (local.get $value))
      (then (call $signalError (i32.const 1048604) (i32.const 32)))))

  (func $check_arguments (param $expected i32)
    (if (i32.ne (call $getNumArguments) (local.get $expected))
      (then (call $signalError (i32.const 1048579) (i32.const 25)))))

  (func $argument (result i32)
    (local $number i32)
    (call $bigIntGetUnsignedArgument (i32.const 0) (local.tee $number (call $bigIntNew (i64.const 0))))
    (local.get $number))

  ;; The key is put on the stack, as compilers do with what they compute.
  (func $key (param $frame i32)
    (i32.store16 (local.get $frame) (i32.load16_u (i32.const 1048576)))
    (i32.store8 offset=2 (local.get $frame) (i32.load8_u (i32.const 1048578))))

  (func $load (result i32)
    (local $frame i32) (local $number i32)
    (global.set $stack (local.tee $frame (i32.sub (global.get $stack) (i32.const 16))))
    (call $key (local.get $frame))
    (drop (call $bigIntStorageLoadUnsigned
      (local.get $frame) (i32.const 3) (local.tee $number (call $bigIntNew (i64.const 0)))))
    (global.set $stack (i32.add (local.get $frame) (i32.const 16)))
    (local.get $number))

  (func $store (param $number i32)
    (local $frame i32)
    (global.set $stack (local.tee $frame (i32.sub (global.get $stack) (i32.const 16))))
    (call $key (local.get $frame))
    (drop (call $bigIntStorageStoreUnsigned (local.get $frame) (i32.const 3) (local.get $number)))
    (global.set $stack (i32.add (local.get $frame) (i32.const 16))))

  (func (export "init")
    (call $refuse_payment)
    (call $check_arguments (i32.const 1))
    (call $store (call $argument)))

  (func (export "add")
    (local $sum i32)
    (call $refuse_payment)
    (call $check_arguments (i32.const 1))
    (local.set $sum (call $load))
    (call $bigIntAdd (local.get $sum) (local.get $sum) (call $argument))
    (call $store (local.get $sum)))

  (func (export "getSum")
    (call $refuse_payment)
    (call $check_arguments (i32.const 0))
    (call $bigIntFinishUnsigned (call $load)))

  (func (export "callBack"))

  ;; Does nothing: what a call costs by itself.
  (func (export "nothing")))
