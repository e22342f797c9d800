;; Memory in every way: `grow` by many pages at once, `growOften` one by one, `growTooFar` past its maximum, `growInHost` inside
;; of a host function, `nest` in instances one inside the other. All return what they have found.
(module
  (import "env" "getCaller" (func $caller (param i32)))
  (import "env" "getSCAddress" (func $self (param i32)))
  (import "env" "getArgument" (func $argument (param i32 i32) (result i32)))
  (import "env" "executeOnDestContext" (func $execute (param i64 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "int64finish" (func $finish (param i64)))

  ;; The address stands at 0, the value, which is 0, at 32, the function at 64, the length of its argument at 80; the argument
  ;; at 96.
  (memory (export "memory") 17 200)
  (data (i32.const 64) "nest")
  (data (i32.const 80) "\01\00\00\00")

  (func $touch_last_page
    (local $last i32)
    (local.set $last (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)))
    (i32.store (local.get $last) (memory.size))
    (call $finish (i64.extend_i32_u (i32.load (local.get $last)))))

  (func (export "grow")
    (call $finish (i64.extend_i32_s (memory.grow (i32.const 100))))
    (call $touch_last_page))

  (func (export "growOften")
    (local $left i32)
    (local.set $left (i32.const 12))
    (loop $more
      (call $finish (i64.extend_i32_s (memory.grow (i32.const 1))))
      (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $touch_last_page))

  (func (export "growTooFar")
    (call $finish (i64.extend_i32_s (memory.grow (i32.const 184))))
    (call $touch_last_page))

  (func (export "growInHost")
    (call $caller (i32.mul (memory.size) (i32.const 65536)))
    (call $touch_last_page))

  (func (export "outOfBounds")
    (drop (i32.load (i32.mul (memory.size) (i32.const 65536)))))

  ;; Calls itself as often as its argument says.
  (func (export "nest")
    (drop (call $argument (i32.const 0) (i32.const 96)))
    (if (i32.load8_u (i32.const 96))
      (then
        (i32.store8 (i32.const 96) (i32.sub (i32.load8_u (i32.const 96)) (i32.const 1)))
        (call $self (i32.const 0))
        (call $finish
          (i64.extend_i32_s
            (call $execute
              (i64.div_u (i64.const 100000000) (i64.const 2))
              (i32.const 0) (i32.const 32)
              (i32.const 64) (i32.const 4)
              (i32.const 1) (i32.const 80) (i32.const 96))))))
    (call $finish (i64.extend_i32_s (memory.grow (i32.const 3))))
    (call $touch_last_page)))
