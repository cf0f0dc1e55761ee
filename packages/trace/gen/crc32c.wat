;; Goes on with CRC-32C over bytes of a linear memory: whole steps of 16 bytes by tables, long rows after they were folded.
;; As WebAssembly it is fast from the first run on.
;;
;; Folding. x^5275 + x^4508 + x^2751 + 1 is a multiple of the polynomial, and so is its eighth power: what a byte adds to
;; the checksum it adds just as well 767, 2524 and 5275 bytes further on, all three times. So all bytes but the last 5280
;; are moved on, sixteen at once and without tables. The moved bytes are kept apart, those that are read do not change.
(module
  (import "e" "m" (memory 1))

  ;; Sums bytes from $from to $end, which is a multiple of 16 further on, by the sixteen tables at $tables.
  (func $step (param $crc i32) (param $from i32) (param $end i32) (param $tables i32) (result i32)
    (local $word i32) (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        ;; The word that the checksum so far goes into comes last, so that the others need not wait for it.
        (local.set $sum (i32.const 0))
        (local.set $word (i32.load offset=4 align=1 (local.get $from)))
        (lookup 11)
        (local.set $word (i32.load offset=8 align=1 (local.get $from)))
        (lookup 7)
        (local.set $word (i32.load offset=12 align=1 (local.get $from)))
        (lookup 3)
        (local.set $word (i32.xor (i32.load align=1 (local.get $from)) (local.get $crc)))
        (lookup 15)
        (local.set $crc (local.get $sum))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (br $next)))
    (local.get $crc))

  ;; Adds to $count bytes at $to those at $from.
  (func $add (param $to i32) (param $from i32) (param $count i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $to) (i32.and (local.get $count) (i32.const -16))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $to) (local.get $end)))
        (v128.store align=1 (local.get $to)
          (v128.xor (v128.load align=1 (local.get $to)) (v128.load align=1 (local.get $from))))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (br $next)))
    (local.set $end (i32.add (local.get $to) (i32.and (local.get $count) (i32.const 15))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $to) (local.get $end)))
        (i32.store8 (local.get $to)
          (i32.xor (i32.load8_u (local.get $to)) (i32.load8_u (local.get $from))))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $next))))

  ;; Goes on with $crc over the bytes from $from to $end, a multiple of 16. At $area are the tables, 16384 bytes, then
  ;; room for 5280 moved bytes and 16384 more.
  (func (export "sum") (param $crc i32) (param $from i32) (param $end i32) (param $area i32) (result i32)
    (local $last i32) (local $past i32) (local $to i32) (local $stop i32) (local $base i32)
    (if (i32.lt_u (i32.sub (local.get $end) (local.get $from)) (i32.const 12288))
      (then (return (call $step (local.get $crc) (local.get $from) (local.get $end) (local.get $area)))))
    ;; The bytes moved last are the 5275 before $base; what is moved goes to $base and on. Before all of them lies the
    ;; checksum so far, where it reaches the first bytes from 5275 before.
    (local.set $base (i32.add (local.get $area) (i32.const 21664)))
    (local.set $past (i32.sub (local.get $base) (i32.const 5275)))
    (memory.fill (local.get $past) (i32.const 0) (i32.const 5275))
    (i32.store align=1 (local.get $past) (local.get $crc))
    (local.set $last (i32.sub (local.get $end) (i32.const 5280)))
    (block $done
      (loop $window
        (br_if $done (i32.ge_u (local.get $from) (local.get $last)))
        (local.set $to (local.get $base))
        (local.set $stop (i32.sub (local.get $last) (local.get $from)))
        (if (i32.gt_u (local.get $stop) (i32.const 16384)) (then (local.set $stop (i32.const 16384))))
        (local.set $stop (i32.add (local.get $base) (local.get $stop)))
        (block $rest
          (loop $next
            (br_if $rest (i32.gt_u (i32.add (local.get $to) (i32.const 64)) (local.get $stop)))
            (move 0) (move 16) (move 32) (move 48)
            (local.set $to (i32.add (local.get $to) (i32.const 64)))
            (local.set $from (i32.add (local.get $from) (i32.const 64)))
            (br $next)))
        (block $full
          (loop $next
            (br_if $full (i32.ge_u (local.get $to) (local.get $stop)))
            (move 0)
            (local.set $to (i32.add (local.get $to) (i32.const 16)))
            (local.set $from (i32.add (local.get $from) (i32.const 16)))
            (br $next)))
        (memory.copy (local.get $past) (i32.sub (local.get $to) (i32.const 5275)) (i32.const 5275))
        (br $window)))
    ;; The last bytes take what was moved and move nothing.
    (memory.copy (local.get $base) (local.get $last) (i32.const 5280))
    (call $add (local.get $base) (i32.sub (local.get $base) (i32.const 767)) (i32.const 767))
    (call $add (local.get $base) (i32.sub (local.get $base) (i32.const 2524)) (i32.const 2524))
    (call $add (local.get $base) (i32.sub (local.get $base) (i32.const 5275)) (i32.const 5275))
    (call $step
      (i32.const 0) (local.get $base) (i32.add (local.get $base) (i32.const 5280)) (local.get $area)))
)
