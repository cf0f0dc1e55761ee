import {
  ascii,
  block,
  cat,
  epb,
  frame,
  idb,
  isb,
  obsoletePb,
  pcapHead,
  pcapPacket,
  shb,
  spb,
  u16,
  u32,
  u64,
} from "./bytes.ts";

/** One small file of every kind, for tests that cut, split and damage. */
export const SAMPLES: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  [
    "pcap, little endian",
    cat(pcapHead(), pcapPacket(frame(60)), pcapPacket(frame(0)), pcapPacket(frame(33), { orig: 99 })),
  ],
  [
    "pcap, big endian, nanoseconds",
    cat(
      pcapHead({ order: "big", magic: 0xa1b23c4d }),
      pcapPacket(frame(20), {}, "big"),
      pcapPacket(frame(41), {}, "big"),
    ),
  ],
  [
    "pcapng of two byte orders",
    cat(
      shb("little", [[1, ascii("hello")]]),
      idb("little", [
        [2, ascii("lo")],
        [9, Uint8Array.of(9)],
      ]),
      epb(frame(17), {
        ticks: 1_700_000_000_000_000_001n,
        opts: [
          [1, ascii("comment")],
          [2, u32(1, "little")],
          [6, u32(3, "little")],
          [7, cat(Uint8Array.of(2), u64(2n, "little"))],
        ],
      }),
      spb(frame(15)),
      block(0x0bad, cat(u32(32473, "little"), ascii("data"))),
      shb("big"),
      idb("big", [[14, u64(5n, "big")]], 101, 24),
      epb(frame(22), { order: "big", ticks: 9n, opts: [[4, u64(1n, "big")]] }),
      spb(frame(24), 50, "big"),
      obsoletePb(frame(9), { order: "big", drops: 1 }),
      block(
        4,
        cat(u16(1, "big"), u16(6, "big"), Uint8Array.of(1, 2, 3, 4), ascii("a\0"), new Uint8Array(6)),
        "big",
      ),
      isb(0, 7n, [[4, u64(3n, "big")]], "big"),
    ),
  ],
];
