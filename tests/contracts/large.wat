;; Hands byte strings to the host that are longer than its memory of one page: what lies behind the end reads as zeros. Lengths come
;; as arguments.
(module
  (import "env" "int64getArgument" (func $argument (param i32) (result i64)))
  (import "env" "finish" (func $finish (param i32 i32)))
  (import "env" "signalError" (func $signalError (param i32 i32)))
  (import "env" "storageLoadLength" (func $storageLoadLength (param i32 i32) (result i32)))
  (import "env" "storageStore" (func $storageStore (param i32 i32 i32 i32) (result i32)))
  (import "ethereum" "revert" (func $revert (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "key")

  (func $length (result i32) (i32.wrap_i64 (call $argument (i32.const 0))))

  ;; Returns so many bytes.
  (func (export "return") (call $finish (i32.const 0) (call $length)))
  ;; Returns so many bytes, and then fails: the output has none of them.
  (func (export "revert") (call $revert (i32.const 0) (call $length)))
  ;; Fails with a message of so many bytes.
  (func (export "complain") (call $signalError (i32.const 0) (call $length)))
  ;; Asks for the value at a key of so many bytes.
  (func (export "ask") (drop (call $storageLoadLength (i32.const 0) (call $length))))
  ;; Stores so many bytes.
  (func (export "store") (drop (call $storageStore (i32.const 0) (i32.const 3) (i32.const 0) (call $length))))
  ;; Asks for the value at a short key.
  (func (export "load") (drop (call $storageLoadLength (i32.const 0) (i32.const 3)))))
