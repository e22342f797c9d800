;; `ask` calls a contract asynchronously: its address, and what to call there. `callBack` stores the answer.
(module
  (import "env" "getArgument" (func $argument (param i32 i32) (result i32)))
  (import "env" "asyncCall" (func $asyncCall (param i32 i32 i32 i32)))
  (import "env" "storageStore" (func $store (param i32 i32 i32 i32) (result i32)))

  ;; The address stands at 0, the value, which is 0, at 32; storage keys at 64 and 72; what is called or stored at 128.
  (memory (export "memory") 1)
  (data (i32.const 64) "CODE")
  (data (i32.const 72) "ANSWER")

  (func (export "ask")
    (drop (call $argument (i32.const 0) (i32.const 0)))
    (call $asyncCall
      (i32.const 0) (i32.const 32)
      (i32.const 128) (call $argument (i32.const 1) (i32.const 128))))

  (func (export "callBack")
    (drop
      (call $store
        (i32.const 64) (i32.const 4)
        (i32.const 128) (call $argument (i32.const 0) (i32.const 128))))
    (drop
      (call $store
        (i32.const 72) (i32.const 6)
        (i32.const 128) (call $argument (i32.const 1) (i32.const 128))))))
