;; Loops without end: each call uses all of its gas. How long a unit of gas takes depends on what is in the loop.
(module
  (memory (export "memory") 2)
  (func $nothing)

  (func (export "empty")
    (loop (br 0)))

  (func (export "divide") (local i64)
    (loop
      (local.set 0 (i64.rem_u (i64.const -1) (i64.or (local.get 0) (i64.const 3))))
      (br 0)))

  ;; Each address depends on what was loaded before, and most are on another line of the processor's cache.
  (func (export "load") (local i32)
    (loop
      (local.set 0
        (i32.and (i32.add (i32.mul (local.get 0) (i32.const 1103515245)) (i32.add (i32.load (local.get 0)) (i32.const 12345)))
                 (i32.const 0xfffc)))
      (br 0)))

  (func (export "call")
    (loop (call $nothing) (br 0))))
