;; Walks the records of a pcap file that lie in the linear memory of a VM, and counts verdicts: the loops that every
;; packet goes through. As WebAssembly they are fast from the first packet on.
;;
;; CONFIG is the address of a block that src/scan/scanner.ts describes.
(module
  (import "e" "m" (memory 1))

  (func $u32 (param $at i32) (param $swapped i32) (result i32)
    (local $x i32)
    (local.set $x (i32.load (local.get $at)))
    (if (result i32) (local.get $swapped)
      (then
        (i32.or
          (i32.and (i32.rotl (local.get $x) (i32.const 8)) (i32.const 0x00ff00ff))
          (i32.and (i32.rotr (local.get $x) (i32.const 8)) (i32.const 0xff00ff00))))
      (else (local.get $x))))

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
        (local.set $length (call $u32 (i32.add (local.get $pos) (i32.const 8)) (local.get $swapped)))
        (local.set $original (call $u32 (i32.add (local.get $pos) (i32.const 12)) (local.get $swapped)))
        (local.set $fraction (call $u32 (i32.add (local.get $pos) (i32.const 4)) (local.get $swapped)))
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
