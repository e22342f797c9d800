;; The compression function of SHA-256, 5,000 times. Block n has the words n, n + 1, ... n + 15. The round constants at 0 are
;; filled in by the bench. Gives the first two words of the state.
(module
  (import "env" "int64finish" (func $finish (param i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "ROUND CONSTANTS")
  (func (export "init"))
  ;; The message schedule, 64 words at 256.
  (func $schedule (param $block i32) (local $i i32) (local $at i32) (local $x i32) (local $y i32)
    (loop $words
      (i32.store offset=256 (i32.shl (local.get $i) (i32.const 2)) (i32.add (local.get $block) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $words (i32.lt_u (local.get $i) (i32.const 16))))
    (loop $rest
      (local.set $at (i32.shl (local.get $i) (i32.const 2)))
      (local.set $x (i32.load offset=196 (local.get $at)))   ;; word i - 15
      (local.set $y (i32.load offset=248 (local.get $at)))   ;; word i - 2
      (i32.store offset=256 (local.get $at)
        (i32.add
          (i32.add
            (i32.load offset=192 (local.get $at))            ;; word i - 16
            (i32.load offset=228 (local.get $at)))           ;; word i - 7
          (i32.add
            (i32.xor
              (i32.xor (i32.rotr (local.get $x) (i32.const 7)) (i32.rotr (local.get $x) (i32.const 18)))
              (i32.shr_u (local.get $x) (i32.const 3)))
            (i32.xor
              (i32.xor (i32.rotr (local.get $y) (i32.const 17)) (i32.rotr (local.get $y) (i32.const 19)))
              (i32.shr_u (local.get $y) (i32.const 10))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $rest (i32.lt_u (local.get $i) (i32.const 64)))))
  ;; The state is at 512.
  (func $compress
    (local $a i32) (local $b i32) (local $c i32) (local $d i32)
    (local $e i32) (local $f i32) (local $g i32) (local $h i32)
    (local $at i32) (local $t1 i32) (local $t2 i32)
    (local.set $a (i32.load (i32.const 512))) (local.set $b (i32.load (i32.const 516)))
    (local.set $c (i32.load (i32.const 520))) (local.set $d (i32.load (i32.const 524)))
    (local.set $e (i32.load (i32.const 528))) (local.set $f (i32.load (i32.const 532)))
    (local.set $g (i32.load (i32.const 536))) (local.set $h (i32.load (i32.const 540)))
    (loop $rounds
      (local.set $t1
        (i32.add
          (i32.add
            (i32.add (local.get $h)
              (i32.xor
                (i32.xor (i32.rotr (local.get $e) (i32.const 6)) (i32.rotr (local.get $e) (i32.const 11)))
                (i32.rotr (local.get $e) (i32.const 25))))
            (i32.xor (local.get $g) (i32.and (local.get $e) (i32.xor (local.get $f) (local.get $g)))))
          (i32.add (i32.load (local.get $at)) (i32.load offset=256 (local.get $at)))))
      (local.set $t2
        (i32.add
          (i32.xor
            (i32.xor (i32.rotr (local.get $a) (i32.const 2)) (i32.rotr (local.get $a) (i32.const 13)))
            (i32.rotr (local.get $a) (i32.const 22)))
          (i32.or
            (i32.and (local.get $a) (local.get $b))
            (i32.and (local.get $c) (i32.or (local.get $a) (local.get $b))))))
      (local.set $h (local.get $g))
      (local.set $g (local.get $f))
      (local.set $f (local.get $e))
      (local.set $e (i32.add (local.get $d) (local.get $t1)))
      (local.set $d (local.get $c))
      (local.set $c (local.get $b))
      (local.set $b (local.get $a))
      (local.set $a (i32.add (local.get $t1) (local.get $t2)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $rounds (i32.lt_u (local.get $at) (i32.const 256))))
    (i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (local.get $a)))
    (i32.store (i32.const 516) (i32.add (i32.load (i32.const 516)) (local.get $b)))
    (i32.store (i32.const 520) (i32.add (i32.load (i32.const 520)) (local.get $c)))
    (i32.store (i32.const 524) (i32.add (i32.load (i32.const 524)) (local.get $d)))
    (i32.store (i32.const 528) (i32.add (i32.load (i32.const 528)) (local.get $e)))
    (i32.store (i32.const 532) (i32.add (i32.load (i32.const 532)) (local.get $f)))
    (i32.store (i32.const 536) (i32.add (i32.load (i32.const 536)) (local.get $g)))
    (i32.store (i32.const 540) (i32.add (i32.load (i32.const 540)) (local.get $h))))
  (func (export "run") (local $block i32)
    (loop $blocks
      (call $schedule (local.get $block))
      (call $compress)
      (local.set $block (i32.add (local.get $block) (i32.const 1)))
      (br_if $blocks (i32.lt_u (local.get $block) (i32.const 5000))))
    (call $finish (i64.load (i32.const 512)))))
