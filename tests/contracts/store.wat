;; `store` writes its second argument to the storage, with the first one as key; `load` returns what is stored.
(module
  (import "env" "getArgument" (func $argument (param i32 i32) (result i32)))
  (import "env" "storageStore" (func $store (param i32 i32 i32 i32) (result i32)))
  (import "env" "storageLoad" (func $load (param i32 i32 i32) (result i32)))
  (import "env" "finish" (func $finish (param i32 i32)))

  ;; The key stands at 0, the value at 256.
  (memory (export "memory") 1)

  (func (export "store")
    (drop
      (call $store
        (i32.const 0) (call $argument (i32.const 0) (i32.const 0))
        (i32.const 256) (call $argument (i32.const 1) (i32.const 256)))))

  (func (export "load")
    (call $finish
      (i32.const 256)
      (call $load (i32.const 0) (call $argument (i32.const 0) (i32.const 0)) (i32.const 256)))))
