;; Work that costs the same gas whatever its length, for ever.
(module
  (import "env" "sha256" (func $sha256 (param i32 i32 i32) (result i32)))
  (import "env" "clearStorageLock" (func $clearStorageLock (param i32 i32) (result i32)))
  (import "env" "executeReadOnly"
    (func $executeReadOnly (param i64 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "getSCAddress" (func $getSCAddress (param i32)))
  (import "env" "int64finish" (func $int64finish (param i64)))

  (memory (export "memory") 1)
  (data (i32.const 0) "short")

  (func (export "init"))

  ;; 16 MiB of memory, nearly all of it behind the end, which reads as zeros.
  (func (export "hash")
    (loop (drop (call $sha256 (i32.const 1) (i32.const 0x1000000) (i32.const 100))) (br 0)))

  ;; The same number of zeros as a storage key.
  (func (export "lock")
    (loop (drop (call $clearStorageLock (i32.const 32768) (i32.const 0x1000000))) (br 0)))

  ;; A million empty arguments, whose lengths lie behind the end of the memory, too.
  (func (export "arguments")
    (call $getSCAddress (i32.const 32))
    (loop
      (drop (call $executeReadOnly (i64.const 1000000) (i32.const 32) (i32.const 0) (i32.const 5)
        (i32.const 1000000) (i32.const 65536) (i32.const 0)))
      (br 0)))

  (func (export "short")
    (drop (call $sha256 (i32.const 1) (i32.const 1024) (i32.const 100)))
    (call $int64finish (i64.const 32))))
