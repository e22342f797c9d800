;; Memory: how many primes there are below 262,144, by the sieve of Eratosthenes.
(module
  (import "env" "int64finish" (func $finish (param i64)))
  (memory (export "memory") 5)
  (func (export "init"))
  (func (export "run") (local $i i32) (local $j i32) (local $count i64)
    (local.set $i (i32.const 2))
    (loop $numbers
      (if (i32.eqz (i32.load8_u (local.get $i)))
        (then
          (local.set $count (i64.add (local.get $count) (i64.const 1)))
          (local.set $j (i32.add (local.get $i) (local.get $i)))
          (block $crossed
            (loop $multiples
              (br_if $crossed (i32.ge_u (local.get $j) (i32.const 262144)))
              (i32.store8 (local.get $j) (i32.const 1))
              (local.set $j (i32.add (local.get $j) (local.get $i)))
              (br $multiples)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $numbers (i32.lt_u (local.get $i) (i32.const 262144))))
    (call $finish (local.get $count))))
