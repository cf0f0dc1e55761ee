import type { CallScript, ScriptArg } from "./call-script.ts";
import { ipv4Frame, range } from "./fake-machine.ts";

const mem = (at: number): ScriptArg => ({ mem: at });
const stack = (at: number): ScriptArg => ({ stack: at });
const DYNPTR = stack(-16);
const OTHER = stack(-32);

const frame = (size: number): Uint8Array => {
  const packet = range(size);
  packet.set(ipv4Frame().subarray(0, 34));
  return packet;
};

function textScripts(): CallScript[] {
  const texts = ["", "a", "abc", "abd", "ABC", "abcabc", "\xff", "aaa", "cab"];
  return texts.flatMap((one) =>
    texts.map((other): CallScript => {
      const calls: CallScript["calls"] = [
        ["bpf_strcmp", mem(0), mem(64)],
        ["bpf_strcasecmp", mem(0), mem(64)],
        ["bpf_strspn", mem(0), mem(64)],
        ["bpf_strcspn", mem(0), mem(64)],
        ["bpf_strstr", mem(0), mem(64)],
        ...[0, 1, 2, 3, 4, 6, 100].map((count) => ["bpf_strnstr", mem(0), mem(64), count] as const),
        ["bpf_strlen", mem(0)],
        ...[0, 1, 2, 100].map((count) => ["bpf_strnlen", mem(0), count] as const),
        ...[97, 99, 0, 120, 0x161].flatMap(
          (byte) =>
            [
              ["bpf_strchr", mem(0), byte],
              ["bpf_strchrnul", mem(0), byte],
              ["bpf_strrchr", mem(0), byte],
              ["bpf_strnchr", mem(0), 2, byte],
              ["bpf_strnchr", mem(0), 1n << 40n, byte],
            ] as const,
        ),
        ["bpf_strlen", 0],
        ["bpf_strcmp", 0, mem(64)],
        ["bpf_strcmp", mem(0), 4095],
      ];
      return {
        name: `texts ${JSON.stringify(one)} ${JSON.stringify(other)}`,
        type: "sched_cls",
        packet: ipv4Frame(),
        init: [
          [0, one],
          [64, other],
        ],
        calls,
      };
    }),
  );
}

function dynptrScripts(): CallScript[] {
  const makers = [
    ["sched_cls", 64, "bpf_dynptr_from_skb"],
    ["cgroup_skb", 64, "bpf_dynptr_from_skb"],
    ["xdp", 64, "bpf_dynptr_from_xdp"],
    ["xdp", 5000, "bpf_dynptr_from_xdp"],
  ] as const;
  const spans = [
    [0, 14],
    [40, 24],
    [50, 15],
    [64, 0],
    [65, 0],
    [3515, 10],
    [3520, 20],
    [4990, 10],
    [4990, 11],
    [0xffff_ffff, 1],
  ] as const;
  return makers.flatMap(([type, size, from]) =>
    spans.flatMap(([offset, bytes]) =>
      [0, 1].map((flags): CallScript => {
        const canWrite = type !== "cgroup_skb";
        const calls: CallScript["calls"] = [
          [from, "ctx", flags, DYNPTR],
          ["bpf_dynptr_size", DYNPTR],
          ["bpf_dynptr_is_null", DYNPTR],
          ["bpf_dynptr_is_rdonly", DYNPTR],
          ["dynptr_read", mem(512), bytes, DYNPTR, offset, 0],
          ["dynptr_data", DYNPTR, 0, 8],
          ["bpf_dynptr_slice", DYNPTR, offset, 0, 10],
          ["bpf_dynptr_slice", DYNPTR, offset, mem(600), 10],
          ...(canWrite ? ([["bpf_dynptr_slice_rdwr", DYNPTR, offset, mem(640), 10]] as const) : []),
          ["bpf_dynptr_clone", DYNPTR, OTHER],
          ["bpf_dynptr_adjust", OTHER, 10, 40],
          ["bpf_dynptr_size", OTHER],
          ["dynptr_read", mem(700), 4, OTHER, 0, 0],
          ["bpf_dynptr_adjust", OTHER, 20, 10],
          ["bpf_dynptr_adjust", OTHER, 0, 31],
          ["bpf_dynptr_memset", OTHER, 2, 3, 0x1aa],
          ["bpf_dynptr_memset", DYNPTR, offset, bytes, 0x55],
          ["bpf_dynptr_copy", DYNPTR, 20, OTHER, 0, 12],
          ["bpf_dynptr_copy", DYNPTR, offset, DYNPTR, 0, bytes],
          ["dynptr_write", DYNPTR, offset, mem(0), bytes, 0],
          ["dynptr_write", DYNPTR, offset, mem(0), 1, 2],
          ["dynptr_write", DYNPTR, offset, mem(0), 1, 4],
        ];
        const name = `${from} ${type} ${size} ${offset} ${bytes} ${flags}`;
        return { name, type, packet: frame(size), init: [[0, range(256)]], calls };
      }),
    ),
  );
}

function loopScripts(): CallScript[] {
  const ranges = [
    [0, 3],
    [5, 5],
    [5, 4],
    [-2, 1],
    [0, 8_388_608],
    [0, 8_388_609],
    [-(2 ** 31), 2 ** 31 - 1],
  ] as const;
  return ranges.map(([start, end]): CallScript => {
    const next = Array.from({ length: 4 }, () => ["bpf_iter_num_next", stack(-8)] as const);
    return {
      name: `count ${start} ${end}`,
      type: "sched_cls",
      packet: ipv4Frame(),
      calls: [["bpf_iter_num_new", stack(-8), start, end], ...next, ["bpf_iter_num_destroy", stack(-8)]],
    };
  });
}

/** Scripts of kernel functions, that load and run on Linux 6.18. */
export const kfuncScripts = (): readonly CallScript[] => [
  ...textScripts(),
  ...dynptrScripts(),
  ...loopScripts(),
];
