;; `create` deploys the code that is its argument, passes on the value, returns the address and remembers it.
(module
  (import "env" "getArgument" (func $argument (param i32 i32) (result i32)))
  (import "env" "getCallValue" (func $value (param i32) (result i32)))
  (import "env" "createContract" (func $create (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "storageStore" (func $store (param i32 i32 i32 i32) (result i32)))
  (import "env" "finish" (func $finish (param i32 i32)))

  ;; The value stands at 0, which stays 0 if it is; the address at 64, the storage key at 96, the code at 1024.
  (memory (export "memory") 1)
  (data (i32.const 96) "LAST")

  (func (export "create")
    (drop (call $value (i32.const 0)))
    (if (call $create
          (i32.const 0)
          (i32.const 1024) (call $argument (i32.const 0) (i32.const 1024))
          (i32.const 64)
          (i32.const 0) (i32.const 0) (i32.const 0))
      (then (unreachable)))
    (drop (call $store (i32.const 96) (i32.const 4) (i32.const 64) (i32.const 32)))
    (call $finish (i32.const 64) (i32.const 32))))
