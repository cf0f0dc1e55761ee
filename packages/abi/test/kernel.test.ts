import { describe, expect, it } from "vitest";
import {
  isBpfAllowed,
  type KernelCase,
  probeBpf,
  runKernelCases,
} from "../../../tooling/kernel/src/index.ts";
import {
  ATTACH_TYPES,
  type AttachTypeName,
  ctxAccess,
  ctxShape,
  HELPER_PROTOS,
  isHelperAvailable,
  type ProgTypeName,
} from "../src/index.ts";

const isKernelKnown = isBpfAllowed() && probeBpf().kernel.startsWith("6.18.");

function insn(op: number, dst = 0, src = 0, off = 0, imm = 0): string {
  const bytes = Buffer.alloc(8);
  bytes[0] = op;
  bytes[1] = dst | (src << 4);
  bytes.writeInt16LE(off, 2);
  bytes.writeInt32LE(imm, 4);
  return bytes.toString("hex");
}

const EXIT = insn(0x95);
const RETURN_ONE = insn(0xb7, 0, 0, 0, 1) + EXIT;

/** Types that load without anything to attach to; the attach types differ in what they offer. */
const LOADABLE: readonly (readonly [ProgTypeName, AttachTypeName | undefined])[] = [
  ["socket_filter", undefined],
  ["kprobe", undefined],
  ["sched_cls", undefined],
  ["tracepoint", undefined],
  ["xdp", "xdp"],
  ["perf_event", undefined],
  ["cgroup_skb", "cgroup_inet_egress"],
  ["cgroup_sock", "cgroup_inet_sock_create"],
  ["cgroup_sock", "cgroup_inet4_post_bind"],
  ["lwt_in", undefined],
  ["lwt_out", undefined],
  ["lwt_xmit", undefined],
  ["sock_ops", "cgroup_sock_ops"],
  ["sk_skb", "sk_skb_stream_verdict"],
  ["cgroup_device", "cgroup_device"],
  ["sk_msg", "sk_msg_verdict"],
  ["raw_tracepoint", undefined],
  ["cgroup_sock_addr", "cgroup_inet4_bind"],
  ["cgroup_sock_addr", "cgroup_inet6_connect"],
  ["cgroup_sock_addr", "cgroup_udp4_sendmsg"],
  ["cgroup_sock_addr", "cgroup_unix_recvmsg"],
  ["lwt_seg6local", undefined],
  ["sk_reuseport", "sk_reuseport_select"],
  ["flow_dissector", "flow_dissector"],
  ["cgroup_sysctl", "cgroup_sysctl"],
  ["cgroup_sockopt", "cgroup_getsockopt"],
  ["cgroup_sockopt", "cgroup_setsockopt"],
  ["sk_lookup", "sk_lookup"],
  ["netfilter", "netfilter"],
];

const attachOf = (name: AttachTypeName | undefined): number => (name === undefined ? 0 : ATTACH_TYPES[name]);

describe.skipIf(!isKernelKnown)("the running kernel", () => {
  it("offers each program type the helpers of the table", async () => {
    const sites = LOADABLE.flatMap(([progType, attach]) =>
      HELPER_PROTOS.map(({ id }) => ({ progType, attach, id })),
    );
    const answers = await runKernelCases(
      sites.map(({ progType, attach, id }): KernelCase => {
        const call = insn(0x85, 0, 0, 0, id) + EXIT;
        return { prog_type: progType, expected_attach_type: attachOf(attach), insns: call };
      }),
    );
    const different = sites.filter(({ progType, attach, id }, idx) => {
      const offered = !(answers[idx]?.errline ?? "").includes("cannot use helper");
      return offered !== isHelperAvailable(progType, attachOf(attach), id);
    });
    expect(different).toEqual([]);
  });

  it("allows the context accesses of the tables", async () => {
    const types = LOADABLE.filter(
      ([progType, attach]) => ctxShape(progType, attachOf(attach)).kind === "table",
    );
    const sites = types.flatMap(([progType, attach]) => {
      const shape = ctxShape(progType, attachOf(attach));
      const bytes = shape.kind === "table" ? shape.layout.sizeBytes : 0;
      const offsets = Array.from({ length: bytes }, (_, idx) => idx);
      return offsets.flatMap((offset) =>
        [1, 2, 4, 8].flatMap((size) =>
          [false, true].map((isWrite) => ({ progType, attach, offset, size, isWrite })),
        ),
      );
    });
    const loads: Readonly<Record<number, number>> = { 1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79 };
    const stores: Readonly<Record<number, number>> = { 1: 0x73, 2: 0x6b, 4: 0x63, 8: 0x7b };
    const answers = await runKernelCases(
      sites.map(({ progType, attach, offset, size, isWrite }): KernelCase => {
        const access = isWrite ? insn(stores[size]!, 1, 2, offset) : insn(loads[size]!, 2, 1, offset);
        return {
          prog_type: progType,
          expected_attach_type: attachOf(attach),
          insns: insn(0xb7, 2) + access + RETURN_ONE,
        };
      }),
    );
    const different = sites.filter(({ progType, attach, offset, size, isWrite }, idx) => {
      const allowed = ctxAccess(progType, attachOf(attach), offset, size, isWrite) !== undefined;
      return allowed !== answers[idx]?.loaded;
    });
    expect(different).toEqual([]);
    expect(new Set(types.map(([progType]) => progType)).size).toBeGreaterThan(15);
  });
});
