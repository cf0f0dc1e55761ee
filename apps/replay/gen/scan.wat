;; Walks the records of a pcap file that lie in the linear memory of a VM, spreads them over CPUs, and counts verdicts:
;; the loops that every packet goes through. As WebAssembly they are fast from the first packet on.
;;
;; CONFIG is the address of a block that src/scan/config.ts describes.
(module
  (import "e" "m" (memory 1))

  ;; Reverses the bytes of a word. `(field N $at)` stands for the word at that address and offset, through this where
  ;; $swapped says so: no call lies in the way of most files.
  (func $swap (param $x i32) (result i32)
    (i32.or
      (i32.and (i32.rotl (local.get $x) (i32.const 8)) (i32.const 0x00ff00ff))
      (i32.and (i32.rotr (local.get $x) (i32.const 8)) (i32.const 0xff00ff00))))

  ;; Hash of an Ethernet frame's flow; as src/spread/flow-hash.ts.
  (func $flow (param $start i32) (param $end i32) (param $parts i32) (result i32)
    (local $at i32) (local $type i32) (local $protocol i32) (local $x i32) (local $wide i64)
    (local.set $at (i32.add (local.get $start) (i32.const 12)))
    (block $known
      (loop $tags
        (if (i32.gt_u (i32.add (local.get $at) (i32.const 2)) (local.get $end)) (then (return (i32.const 0))))
        (local.set $type (i32.load16_u (local.get $at)))
        (br_if $known
          (i32.and
            (i32.ne (local.get $type) (i32.const 0x0081))
            (i32.ne (local.get $type) (i32.const 0xa888))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $tags)))
    (local.set $at (i32.add (local.get $at) (i32.const 2)))
    (if (i32.eq (local.get $type) (i32.const 0x0008))
      (then
        (if (i32.gt_u (i32.add (local.get $at) (i32.const 20)) (local.get $end)) (then (return (i32.const 0))))
        (local.set $x
          (i32.xor (i32.load offset=12 (local.get $at)) (i32.load offset=16 (local.get $at))))
        (local.set $protocol
          (select
            (i32.const 0)
            (i32.load8_u offset=9 (local.get $at))
            (i32.and (i32.load16_u offset=6 (local.get $at)) (i32.const 0xff3f))))
        (local.set $at
          (i32.add
            (local.get $at)
            (i32.shl (i32.and (i32.load8_u (local.get $at)) (i32.const 15)) (i32.const 2)))))
      (else
        (if (i32.or
              (i32.ne (local.get $type) (i32.const 0xdd86))
              (i32.gt_u (i32.add (local.get $at) (i32.const 40)) (local.get $end)))
          (then (return (i32.const 0))))
        (local.set $wide
          (i64.xor
            (i64.xor (i64.load offset=8 (local.get $at)) (i64.load offset=16 (local.get $at)))
            (i64.xor (i64.load offset=24 (local.get $at)) (i64.load offset=32 (local.get $at)))))
        (local.set $x
          (i32.wrap_i64 (i64.xor (local.get $wide) (i64.shr_u (local.get $wide) (i64.const 32)))))
        (local.set $protocol (i32.load8_u offset=6 (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 40)))))
    ;; TCP and UDP have ports, where they are there.
    (if (i32.and
          (i32.or
            (i32.eq (local.get $protocol) (i32.const 6))
            (i32.eq (local.get $protocol) (i32.const 17)))
          (i32.le_u (i32.add (local.get $at) (i32.const 4)) (local.get $end)))
      (then (local.set $x (i32.xor (local.get $x) (i32.load (local.get $at))))))
    ;; The 16-bit words, XORed: the hash is linear.
    (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 16))))
    (i32.xor
      (i32.load16_u
        (i32.add (local.get $parts) (i32.shl (i32.and (local.get $x) (i32.const 255)) (i32.const 1))))
      (i32.load16_u offset=512
        (i32.add
          (local.get $parts)
          (i32.and (i32.shr_u (local.get $x) (i32.const 7)) (i32.const 0x1fe))))))

  ;; Describes the packets of plain records from `pos` on; returns where it stopped, and says why in the block.
  (func (export "scan") (param $config i32) (param $pos i32) (param $end i32) (param $desc i32) (param $descEnd i32)
    (result i32)
    (local $swapped i32) (local $plainMax i32) (local $fractionEnd i32) (local $cut i32) (local $length i32)
    (local $original i32) (local $fraction i32) (local $data i32) (local $dataEnd i32)
    (local $reason i32)
    (local.set $swapped (i32.load offset=0 (local.get $config)))
    (local.set $plainMax (i32.load offset=4 (local.get $config)))
    (local.set $fractionEnd (i32.load offset=8 (local.get $config)))
    (block $stop
      (loop $records
        (local.set $reason (i32.const 1))
        (br_if $stop (i32.eq (local.get $desc) (local.get $descEnd)))
        (local.set $reason (i32.const 0))
        (local.set $data (i32.add (local.get $pos) (i32.const 16)))
        (br_if $stop (i32.gt_u (local.get $data) (local.get $end)))
        (local.set $length (field 8 $pos))
        (local.set $original (field 12 $pos))
        (local.set $fraction (field 4 $pos))
        (local.set $reason (i32.const 2))
        (br_if $stop
          (i32.or
            (i32.or
              (i32.lt_u (local.get $length) (i32.const 14))
              (i32.gt_u (local.get $length) (local.get $plainMax)))
            (i32.or
              (i32.lt_u (local.get $original) (local.get $length))
              (i32.ge_u (local.get $fraction) (local.get $fractionEnd)))))
        (local.set $reason (i32.const 0))
        (br_if $stop (i32.gt_u (local.get $length) (i32.sub (local.get $end) (local.get $data))))
        (local.set $dataEnd (i32.add (local.get $data) (local.get $length)))
        (local.set $cut
          (i32.add (local.get $cut) (i32.gt_u (local.get $original) (local.get $length))))
        (i64.store
          (local.get $desc)
          (i64.or
            (i64.extend_i32_u (local.get $data))
            (i64.shl (i64.extend_i32_u (local.get $dataEnd)) (i64.const 32))))
        (i64.store offset=8
          (local.get $desc)
          (i64.or (i64.extend_i32_u (local.get $data)) (i64.const 0x100000000)))
        (i64.store offset=16 (local.get $desc) (i64.const 0))
        (i64.store offset=24 (local.get $desc) (i64.const 0))
        (local.set $desc (i32.add (local.get $desc) (i32.const 32)))
        (local.set $pos (local.get $dataEnd))
        (br $records)))
    (i32.store offset=12 (local.get $config) (local.get $desc))
    (i32.store offset=16 (local.get $config) (local.get $cut))
    (i32.store offset=20 (local.get $config) (local.get $reason))
    (local.get $pos))

  ;; Finds the plain records that start from `pos` on and before `limit`, of which all bytes up to `end` are there, and
  ;; chooses the CPU of each: in turns from `next` on, or, where that is negative, by flow. Writes the address of each and
  ;; its CPU to `out`, a word each, at most up to `outEnd`, and counts the records of each CPU. Returns where it stopped, and
  ;; says why in the block. Reading is what takes time here; choosing happens meanwhile.
  (func (export "walk") (param $config i32) (param $pos i32) (param $limit i32) (param $end i32) (param $out i32)
    (param $outEnd i32) (param $next i32) (result i32)
    (local $swapped i32) (local $plainMax i32) (local $fractionEnd i32) (local $cut i32) (local $small i32)
    (local $length i32) (local $original i32) (local $data i32) (local $dataEnd i32) (local $reason i32)
    (local $cpuCount i32) (local $parts i32) (local $counts i32) (local $cpu i32) (local $at i32)
    (local.set $swapped (i32.load offset=0 (local.get $config)))
    (local.set $plainMax (i32.load offset=4 (local.get $config)))
    (local.set $fractionEnd (i32.load offset=8 (local.get $config)))
    (local.set $cpuCount (i32.load offset=28 (local.get $config)))
    (local.set $parts (i32.load offset=32 (local.get $config)))
    (local.set $counts (i32.load offset=36 (local.get $config)))
    (block $stop
      (loop $records
        (local.set $reason (i32.const 3))
        (br_if $stop (i32.ge_u (local.get $pos) (local.get $limit)))
        (local.set $reason (i32.const 1))
        (br_if $stop (i32.eq (local.get $out) (local.get $outEnd)))
        (local.set $reason (i32.const 0))
        (local.set $data (i32.add (local.get $pos) (i32.const 16)))
        (br_if $stop (i32.gt_u (local.get $data) (local.get $end)))
        (local.set $length (field 8 $pos))
        (local.set $original (field 12 $pos))
        (local.set $reason (i32.const 2))
        (br_if $stop
          (i32.or
            (i32.gt_u (local.get $length) (local.get $plainMax))
            (i32.or
              (i32.lt_u (local.get $original) (local.get $length))
              (i32.ge_u
                (field 4 $pos)
                (local.get $fractionEnd)))))
        (local.set $reason (i32.const 0))
        (br_if $stop (i32.gt_u (local.get $length) (i32.sub (local.get $end) (local.get $data))))
        (local.set $dataEnd (i32.add (local.get $data) (local.get $length)))
        (local.set $cut
          (i32.add (local.get $cut) (i32.gt_u (local.get $original) (local.get $length))))
        (local.set $small (i32.add (local.get $small) (i32.lt_u (local.get $length) (i32.const 14))))
        (if (i32.lt_s (local.get $next) (i32.const 0))
          (then
            (local.set $cpu
              (i32.load16_u offset=1024
                (i32.add
                  (local.get $parts)
                  (i32.shl
                    (i32.and
                      (call $flow (local.get $data) (local.get $dataEnd) (local.get $parts))
                      (i32.const 127))
                    (i32.const 1))))))
          (else
            (local.set $cpu (local.get $next))
            (local.set $next (i32.add (local.get $next) (i32.const 1)))
            (if (i32.eq (local.get $next) (local.get $cpuCount)) (then (local.set $next (i32.const 0))))))
        (local.set $at (i32.add (local.get $counts) (i32.shl (local.get $cpu) (i32.const 2))))
        (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
        (i32.store (local.get $out) (local.get $pos))
        (i32.store offset=4 (local.get $out) (local.get $cpu))
        (local.set $out (i32.add (local.get $out) (i32.const 8)))
        (local.set $pos (local.get $dataEnd))
        (br $records)))
    (i32.store offset=12 (local.get $config) (local.get $out))
    (i32.store offset=16 (local.get $config) (local.get $cut))
    (i32.store offset=20 (local.get $config) (local.get $reason))
    (i32.store offset=24 (local.get $config) (local.get $small))
    (local.get $pos))

  ;; Describes each record at the next place of its CPU: `places` has the index of it. Where `times` is not 0, it is the
  ;; address of a double for each descriptor, which gets nanoseconds since boot.
  (func (export "place") (param $config i32) (param $records i32) (param $end i32) (param $places i32)
    (param $desc i32) (param $times i32)
    (local $swapped i32) (local $at i32) (local $data i32) (local $idx i32) (local $out i32) (local $next i32)
    (local.set $swapped (i32.load offset=0 (local.get $config)))
    (block $done
      (loop $each
        (br_if $done (i32.eq (local.get $records) (local.get $end)))
        (local.set $at (i32.load (local.get $records)))
        (local.set $next
          (i32.add (local.get $places) (i32.shl (i32.load offset=4 (local.get $records)) (i32.const 2))))
        (local.set $idx (i32.load (local.get $next)))
        (i32.store (local.get $next) (i32.add (local.get $idx) (i32.const 1)))
        (local.set $out (i32.add (local.get $desc) (i32.shl (local.get $idx) (i32.const 5))))
        (local.set $data (i32.add (local.get $at) (i32.const 16)))
        (i64.store
          (local.get $out)
          (i64.or
            (i64.extend_i32_u (local.get $data))
            (i64.shl
              (i64.extend_i32_u
                (i32.add
                  (local.get $data)
                  (field 8 $at)))
              (i64.const 32))))
        (i64.store offset=8
          (local.get $out)
          (i64.or (i64.extend_i32_u (local.get $data)) (i64.const 0x100000000)))
        (i64.store offset=16 (local.get $out) (i64.const 0))
        (i64.store offset=24 (local.get $out) (i64.const 0))
        (if (local.get $times)
          (then
            (f64.store
              (i32.add (local.get $times) (i32.shl (local.get $idx) (i32.const 3)))
              (f64.add
                (f64.mul
                  (f64.max
                    (f64.const 0)
                    (f64.sub
                      (f64.convert_i32_u (field 0 $at))
                      (f64.load offset=48 (local.get $config))))
                  (f64.const 1e9))
                (f64.mul
                  (f64.convert_i32_u
                    (field 4 $at))
                  (f64.load offset=40 (local.get $config)))))))
        (local.set $records (i32.add (local.get $records) (i32.const 8)))
        (br $each))))

  ;; Counts packets and bytes by verdict, two doubles for each of the first eight; returns the first descriptor that has
  ;; another verdict or none, or the end.
  (func (export "tally") (param $desc i32) (param $end i32) (param $table i32) (result i32)
    (local $verdict i32) (local $at i32)
    (block $done
      (loop $each
        (br_if $done (i32.eq (local.get $desc) (local.get $end)))
        (local.set $verdict (i32.load offset=20 (local.get $desc)))
        (br_if $done
          (i32.or
            (i32.ge_u (local.get $verdict) (i32.const 8))
            (i32.load offset=28 (local.get $desc))))
        (local.set $at (i32.add (local.get $table) (i32.shl (local.get $verdict) (i32.const 4))))
        (f64.store (local.get $at) (f64.add (f64.load (local.get $at)) (f64.const 1)))
        (f64.store offset=8
          (local.get $at)
          (f64.add
            (f64.load offset=8 (local.get $at))
            (f64.convert_i32_u
              (i32.sub (i32.load offset=4 (local.get $desc)) (i32.load (local.get $desc))))))
        (local.set $desc (i32.add (local.get $desc) (i32.const 32)))
        (br $each)))
    (local.get $desc)))
