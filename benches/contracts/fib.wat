;; Calls and nothing else: the 25th Fibonacci number by its definition.
(module
  (import "env" "int64finish" (func $finish (param i64)))
  (memory (export "memory") 1)
  (func (export "init"))
  (func $fib (param $n i64) (result i64)
    (if (result i64) (i64.lt_u (local.get $n) (i64.const 2))
      (then (local.get $n))
      (else (i64.add
        (call $fib (i64.sub (local.get $n) (i64.const 1)))
        (call $fib (i64.sub (local.get $n) (i64.const 2)))))))
  (func (export "run") (call $finish (call $fib (i64.const 25)))))
