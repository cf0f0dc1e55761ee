;; Describes packets that lie in a row in the linear memory of a VM: the loop that every run of a trace goes through. As
;; WebAssembly it is fast from the first run on.
(module
  (import "e" "m" (memory 1))

  ;; Writes descriptors of packets from $at on, and returns how many: $count at most, as long as they end by $end and have
  ;; $min to $max bytes. Their sizes are words at $sizes or, where that is 0, all $size.
  (func (export "describe")
    (param $sizes i32) (param $size i32) (param $count i32) (param $at i32) (param $end i32)
    (param $desc i32) (param $min i32) (param $max i32) (param $ifindex i32) (param $queue i32)
    (result i32)
    (local $run i32) (local $bytes i32)
    (local.set $bytes (local.get $size))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $run) (local.get $count)))
        (if (local.get $sizes)
          (then
            (local.set $bytes
              (i32.load align=1
                (i32.add (local.get $sizes) (i32.shl (local.get $run) (i32.const 2)))))))
        (br_if $done
          (i32.or
            (i32.or
              (i32.lt_u (local.get $bytes) (local.get $min))
              (i32.gt_u (local.get $bytes) (local.get $max)))
            (i32.gt_u (local.get $bytes) (i32.sub (local.get $end) (local.get $at)))))
        (i32.store (local.get $desc) (local.get $at))
        (i32.store offset=8 (local.get $desc) (local.get $at))
        (local.set $at (i32.add (local.get $at) (local.get $bytes)))
        (i32.store offset=4 (local.get $desc) (local.get $at))
        (i32.store offset=12 (local.get $desc) (local.get $ifindex))
        (i64.store offset=16 (local.get $desc) (i64.extend_i32_u (local.get $queue)))
        (i64.store offset=24 (local.get $desc) (i64.const 0))
        (local.set $desc (i32.add (local.get $desc) (i32.const 32)))
        (local.set $run (i32.add (local.get $run) (i32.const 1)))
        (br $next)))
    (local.get $run))
)
