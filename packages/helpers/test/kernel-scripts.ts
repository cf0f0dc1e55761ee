import type { ProgTypeName } from "@tsbpf/abi";
import type { CallScript, ScriptArg } from "./call-script.ts";
import { ipv4Frame, ipv6Frame, range } from "./fake-machine.ts";

const mem = (at: number): ScriptArg => ({ mem: at });
const map = (idx: number): ScriptArg => ({ map: idx });
const FRAME = ipv4Frame();
const ARP = (() => {
  const frame = ipv4Frame();
  frame[13] = 6;
  return frame;
})();
/** len, pkt_type, protocol, vlan_present, vlan_tci, vlan_proto, hash */
const SKB_FIELDS = [0, 4, 16, 20, 24, 28, 68];

const xdp = (name: string, size: number, ...calls: CallScript["calls"]): CallScript => ({
  name,
  type: "xdp",
  packet: Uint8Array.from(range(size), (byte, idx) => (idx < 14 ? 0 : byte)),
  calls,
  init: [[0, range(256)]],
});

const skb = (name: string, packet: Uint8Array, ...calls: CallScript["calls"]): CallScript => ({
  name,
  type: "sched_cls",
  packet,
  calls,
  init: [[0, range(256)]],
  fields: SKB_FIELDS,
});

function xdpScripts(): CallScript[] {
  const heads = [14, 64, 3520].flatMap((size) =>
    [0, 10, -216, -217, size - 14, size - 13, -(2 ** 31)].map((delta) =>
      xdp(`head ${size} ${delta}`, size, ["xdp_adjust_head", "ctx", delta], ["xdp_get_buff_len", "ctx"]),
    ),
  );
  const tails = [14, 64, 3520, 3521, 5000, 8000].flatMap((size) =>
    [0, 1, -1, 3520 - size, 3521 - size, 14 - size, 13 - size, 2600, -1481, -4000, -(2 ** 31)].map((delta) =>
      xdp(`tail ${size} ${delta}`, size, ["xdp_adjust_tail", "ctx", delta], ["xdp_get_buff_len", "ctx"]),
    ),
  );
  const metas = [0, -3, -8, -216, -220, -256, 4].map((delta) =>
    xdp(
      `meta ${delta}`,
      64,
      ["xdp_adjust_meta", "ctx", delta],
      ["xdp_adjust_head", "ctx", -8],
      ["xdp_adjust_meta", "ctx", 4],
      ["xdp_adjust_head", "ctx", 20],
    ),
  );
  const bytes = [64, 5000].flatMap((size) =>
    [0, 60, 63, 64, 3519, 3520, 4990, 5000, 65_535, 65_536, 0xffff_ffff].flatMap((offset) =>
      [1, 4, 100].flatMap((count) => [
        xdp(`load ${size} ${offset} ${count}`, size, ["xdp_load_bytes", "ctx", offset, mem(512), count]),
        xdp(`store ${size} ${offset} ${count}`, size, ["xdp_store_bytes", "ctx", offset, mem(0), count]),
      ]),
    ),
  );
  return [...heads, ...tails, ...metas, ...bytes];
}

function sumScripts(): CallScript[] {
  const seeds = [0, 1, 0xffff, 0x1_0000, 0xffff_ffff, 0x1234_5678];
  const sizes = [0, 1, 3, 4, 17, 64, 513];
  const diffs = seeds.flatMap((seed, at) =>
    sizes.map((from, idx) => {
      const to = sizes[(idx + at) % sizes.length]!;
      const calls: CallScript["calls"] = [
        ["csum_diff", mem(0), from, mem(1), to, seed],
        ["csum_diff", from === 0 ? 0 : mem(900), from, to === 0 ? 0 : mem(1500), to, seed],
      ];
      return { ...xdp(`diff ${seed} ${from} ${to}`, 64, ...calls), init: [[0, range(900)]] } as CallScript;
    }),
  );
  const values = [0, 1, 2, 0xffff, 0x1234_5678, 0xffff_ffff];
  const replaced = [0, 0x1234, 0xffff, 0x0100].flatMap((checksum) =>
    values.flatMap((from, at) =>
      [0, 2, 3, 4, 16 + 4, 32 + 4, 64 + 32 + 4, 256].map((flags) => {
        const packet = ipv4Frame();
        new DataView(packet.buffer).setUint16(24, checksum);
        const to = values[(at + 2) % values.length]!;
        const before = flags % 16 === 0 && from !== 1 ? 0 : from;
        return skb(
          `replace ${checksum} ${from} ${flags}`,
          packet,
          ["l3_csum_replace", "ctx", 24, before, to, flags],
          ["l4_csum_replace", "ctx", 24, before, to, flags],
        );
      }),
    ),
  );
  const places = [0, 1, 62, 63, 64, 65_536].map((offset) =>
    skb(
      `place ${offset}`,
      FRAME,
      ["l3_csum_replace", "ctx", offset, 1, 2, 4],
      ["l4_csum_replace", "ctx", offset, 1, 2, 4],
    ),
  );
  const level = skb(
    "level",
    FRAME,
    ...[0, 1, 0, 1, 1, 1, 1, 0, 2, 0, 3, 0, 4].map((one) => ["csum_level", "ctx", one] as const),
    ["csum_update", "ctx", 5],
  );
  return [...diffs, ...replaced, ...places, level];
}

function byteScripts(): CallScript[] {
  const types: readonly ProgTypeName[] = ["socket_filter", "sched_cls", "cgroup_skb", "lwt_xmit"];
  return types.flatMap((type) =>
    [0, 13, 14, 49, 50, 60, 64, 65_536, 0x8000_0000, 0xffff_ffff].flatMap((offset) => {
      const calls: CallScript["calls"][number][] = [["skb_load_bytes", "ctx", offset, mem(300), 14]];
      if (type !== "lwt_xmit") {
        for (const start of [0, 1, 2])
          calls.push(["skb_load_bytes_relative", "ctx", offset, mem(400 + 32 * start), 14, start]);
      }
      if (type === "sched_cls" || type === "lwt_xmit") {
        for (const flags of [0, 1, 4]) calls.push(["skb_store_bytes", "ctx", offset, mem(0), 2, flags]);
        calls.push(["skb_pull_data", "ctx", offset]);
      }
      return [{ ...skb(`${type} at ${offset}`, FRAME, ...calls), type, fields: [] }];
    }),
  );
}

function tagged(...tags: readonly (readonly [number, number])[]): Uint8Array {
  const frame = ipv4Frame();
  const view = new DataView(frame.buffer);
  let at = 12;
  for (const [proto, tci] of [...tags, [0x0800, 0x4500] as const]) {
    view.setUint16(at, proto);
    view.setUint16(at + 2, tci);
    at += 4;
  }
  return frame;
}

function headerScripts(): CallScript[] {
  const frames = [
    FRAME,
    tagged([0x8100, 7]),
    tagged([0x88a8, 7], [0x8100, 9]),
    tagged([0x8100, 7]).subarray(0, 17),
  ];
  const tags = frames.flatMap((frame, idx) => [
    skb(
      `push ${idx}`,
      frame,
      ["skb_vlan_push", "ctx", 0xa888, 0x3005],
      ["skb_vlan_push", "ctx", 0x1234, 0x1_2345],
    ),
    skb(
      `pop ${idx}`,
      frame,
      ["skb_vlan_pop", "ctx"],
      ["skb_vlan_pop", "ctx"],
      ["skb_change_tail", "ctx", 14, 0],
    ),
    skb(
      `both ${idx}`,
      frame,
      ["skb_vlan_push", "ctx", 0x81, 5],
      ["skb_vlan_push", "ctx", 0x81, 6],
      ["skb_vlan_pop", "ctx"],
      ["skb_adjust_room", "ctx", 8, 0, 0],
      ["skb_ecn_set_ce", "ctx"],
    ),
  ]);
  const lengths = [0, 13, 14, 34, 64, 100, 4000, 16_064, 16_065, 0xffff_ffff].flatMap((length) =>
    [0, 1].flatMap((flags) => [
      skb(`tail ${length} ${flags}`, FRAME, ["skb_change_tail", "ctx", length, flags]),
      skb(`head ${length} ${flags}`, FRAME, ["skb_change_head", "ctx", length, flags]),
    ]),
  );
  const protos = [FRAME, ipv6Frame(), ARP].flatMap((frame) =>
    [0x0008, 0xdd86, 0].flatMap((proto) =>
      [0, 1].map((flags) =>
        skb(`proto ${frame.length} ${proto} ${flags}`, frame, ["skb_change_proto", "ctx", proto, flags]),
      ),
    ),
  );
  const types = [0, 3, 4].map((type) => skb(`type ${type}`, FRAME, ["skb_change_type", "ctx", type]));
  return [...tags, ...lengths, ...protos, ...types];
}

function roomScripts(): CallScript[] {
  const flags = [
    0,
    1,
    2,
    4,
    6,
    10,
    18,
    26,
    32,
    66,
    2n | 64n | (14n << 56n),
    2n | 64n | (13n << 56n),
    128,
    256,
    384,
    512,
    1n << 40n,
  ];
  return [FRAME, ipv6Frame(), ARP].flatMap((frame) =>
    [0, 8, 20, 40, -8, -20, -30, -31, 4095, 4096].flatMap((delta) =>
      flags.map((flag, idx) =>
        skb(
          `room ${frame.length} ${delta} ${flag}`,
          frame,
          ["skb_adjust_room", "ctx", delta, idx % 3, flag],
          ["skb_adjust_room", "ctx", delta, 1, flag],
          ["skb_load_bytes_relative", "ctx", 0, mem(512), 20, 1],
        ),
      ),
    ),
  );
}

function tunnelScripts(): CallScript[] {
  const key = (label: number, ext: number): Uint8Array => {
    const bytes = range(44);
    const view = new DataView(bytes.buffer);
    view.setUint16(22, ext, true);
    view.setUint32(24, label, true);
    return bytes;
  };
  return [44, 28, 24, 22, 8, 20].flatMap((size) =>
    [0, 1, 2, 4, 8, 16, 32].flatMap((flags) =>
      [key(0, 0), key(0x1_2345, 0), key(0, 3)].map(
        (given, idx) =>
          ({
            ...skb(
              `tunnel ${size} ${flags} ${idx}`,
              FRAME,
              ["skb_get_tunnel_key", "ctx", mem(300), 44, 0],
              ["skb_set_tunnel_key", "ctx", mem(0), size, flags],
              ["skb_get_tunnel_key", "ctx", mem(400), 44, 16 | (flags & 1)],
              ["skb_get_tunnel_key", "ctx", mem(500), size, flags & 1],
              ["skb_get_tunnel_opt", "ctx", mem(600), 8],
              ["skb_set_tunnel_opt", "ctx", mem(64), 8],
              ["skb_get_tunnel_opt", "ctx", mem(700), 4],
              ["skb_get_tunnel_opt", "ctx", mem(800), 12],
              ["skb_get_tunnel_key", "ctx", mem(900), 44, 16 | (flags & 1)],
            ),
            init: [
              [0, given],
              [64, range(16)],
              [300, new Uint8Array(700).fill(0xaa)],
            ],
          }) as CallScript,
      ),
    ),
  );
}

function markScripts(): CallScript[] {
  const ecn = [0, 1, 2, 3].flatMap((bits) =>
    [0, 0xffff, 0x1234, 1].map((checksum) => {
      const packet = ipv4Frame();
      packet[15] = 0x40 | bits;
      new DataView(packet.buffer).setUint16(24, checksum);
      return skb(`ecn ${bits} ${checksum}`, packet, ["skb_ecn_set_ce", "ctx"], ["skb_ecn_set_ce", "ctx"]);
    }),
  );
  const stamps = [FRAME, ipv6Frame(), ARP].flatMap((frame) =>
    [0, 1, 2, 3].map((clock) =>
      skb(
        `stamp ${clock}`,
        frame,
        ["skb_set_tstamp", "ctx", 0, clock],
        ["skb_set_tstamp", "ctx", 5n << 40n, clock],
      ),
    ),
  );
  const hash = skb(
    "hash",
    FRAME,
    ["set_hash", "ctx", 0x1234],
    ["get_hash_recalc", "ctx"],
    ["set_hash_invalid", "ctx"],
  );
  const ids = skb(
    "ids",
    FRAME,
    ["skb_cgroup_id", "ctx"],
    ["skb_ancestor_cgroup_id", "ctx", 0],
    ["get_socket_uid", "ctx"],
  );
  return [...ecn, ...stamps, hash, ids];
}

function routeScripts(): CallScript[] {
  const flags = [0, 1, 2, 3, 4, 8, 16, 24, 1n << 32n];
  const maps = [14, 25, 16, 17].flatMap((type) =>
    flags.map((flag) => ({
      ...xdp(
        `to map ${type} ${flag}`,
        64,
        ["redirect_map", map(0), 0, flag],
        ["redirect_map", map(0), 7, flag],
      ),
      maps: [{ type, key_size: 4, value_size: 4, max_entries: 2 }],
    })),
  );
  const targets = [0, 1, 2].flatMap((flag) => [
    xdp(`redirect ${flag}`, 64, ["redirect", 1, flag]),
    skb(
      `redirect ${flag}`,
      FRAME,
      ["redirect", 1, flag],
      ["redirect_peer", 1, flag],
      ["redirect_neigh", 1, 0, 0, flag],
      ["redirect_neigh", 1, mem(0), 19, flag],
      ["redirect_neigh", 1, mem(0), 20, flag],
      ["clone_redirect", "ctx", 9999, flag],
    ),
  ]);
  const mtus = [0, 1000, 65_536, 65_537, 0xffff_ffff].flatMap((mtu) =>
    [0, -10, 70_000].flatMap((delta) =>
      [0, 1, 2].flatMap((flag) =>
        (["xdp", "sched_cls"] as const).map(
          (type): CallScript => ({
            name: `mtu ${type} ${mtu} ${delta} ${flag}`,
            type,
            packet: FRAME,
            init: [[0, new Uint8Array(Uint32Array.of(mtu).buffer)]],
            calls: [
              ["check_mtu", "ctx", 0, mem(0), delta, flag],
              ["check_mtu", "ctx", 9999, mem(4), delta, flag],
            ],
          }),
        ),
      ),
    ),
  );
  const perf = [0n, 1n, 2n, 0xffff_ffffn, 1n << 32n, 65n << 32n, 1n << 52n].flatMap((flag) =>
    (["xdp", "sched_cls", "socket_filter"] as const).map(
      (type): CallScript => ({
        name: `perf ${type} ${flag}`,
        type,
        packet: FRAME,
        maps: [{ type: 4, key_size: 4, value_size: 4, max_entries: 2 }],
        calls: [["perf_event_output", "ctx", map(0), flag, mem(0), 8]],
      }),
    ),
  );
  return [...maps, ...targets, ...mtus, ...perf];
}

/** Scripts about packets, that load and run on Linux 6.18. */
export const packetScripts = (): readonly CallScript[] => [
  ...xdpScripts(),
  ...sumScripts(),
  ...byteScripts(),
  ...headerScripts(),
  ...roomScripts(),
  ...tunnelScripts(),
  ...markScripts(),
  ...routeScripts(),
];
