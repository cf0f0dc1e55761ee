import { assemble } from "@tsbpf/asm";
import { printHexBytes } from "@tsbpf/base";
import { encodeInsns } from "@tsbpf/isa";
import { isBpfAllowed, type KernelCase, runKernelCases } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareCase } from "../src/agreement.ts";

/** How a program of cgroup_skb comes by a pointer to each kind of socket, in r0. */
const SOCKETS = {
  sock_common: "r0 = r1",
  sock: "call bpf_sk_fullsock\nif r0 == 0 goto out",
  tcp_sock: "call bpf_tcp_sock\nif r0 == 0 goto out",
} as const;
type Socket = keyof typeof SOCKETS;
const SIZES = [1, 2, 4, 8] as const;
/** Past the end of the longest of them, struct bpf_tcp_sock. */
const OFFSETS = Array.from({ length: 124 }, (_, off) => off);

const range = (from: number, to: number, step: number): number[] =>
  OFFSETS.filter((off) => off >= from && off <= to && (off - from) % step === 0);

/** The loads that Linux 6.18 lets a program make. */
const READABLE: Record<Socket, Partial<Record<(typeof SIZES)[number], readonly number[]>>> = {
  sock: {
    1: [4, 8, 12, ...range(24, 44, 1), 48, 49, ...range(52, 72, 1), 76],
    2: [4, 8, 12, ...range(24, 44, 2), 48, ...range(52, 72, 2), 76],
    4: range(0, 76, 4),
  },
  sock_common: {
    1: [4, ...range(24, 44, 1), 48, 49, ...range(52, 72, 1), 76],
    2: [4, ...range(24, 44, 2), 48, ...range(52, 72, 2), 76],
    4: [0, 4, ...range(24, 76, 4)],
  },
  tcp_sock: { 4: [...range(0, 76, 4), ...range(96, 108, 4)], 8: [80, 88] },
};

const questionOf = (socket: Socket, size: number, off: number): KernelCase & { readonly name: string } => {
  const text = `r1 = *(u64 *)(r1 + 168)
if r1 == 0 goto out
${SOCKETS[socket]}
r0 = *(u${size * 8} *)(r0 + ${off})
out: r0 = 0
exit`;
  const insns = printHexBytes(encodeInsns(assemble(text, { symbols: { helperIdOf } }).insns));
  return { name: `${socket} ${size} ${off}`, prog_type: "cgroup_skb", insns };
};
const helperIdOf = (name: string): number | undefined => ({ bpf_sk_fullsock: 95, bpf_tcp_sock: 96 })[name];

const ALL = (Object.keys(SOCKETS) as Socket[]).flatMap((socket) =>
  SIZES.flatMap((size) =>
    OFFSETS.map((off) => ({
      question: questionOf(socket, size, off),
      isReadable: READABLE[socket][size]?.includes(off) ?? false,
    })),
  ),
);

describe("loads through socket pointers, of every size at every offset", () => {
  it("are taken and refused as Linux does", () => {
    const wrong = ALL.filter(({ question, isReadable }) => {
      const errno = isReadable ? 0 : 13;
      return compareCase(question, { loaded: isReadable, errno }).errno !== errno;
    });
    expect(wrong.map(({ question }) => question.name)).toEqual([]);
    expect(ALL).toHaveLength(3 * 4 * 124);
  });

  it.skipIf(!isBpfAllowed())("the running kernel takes the same", async () => {
    const answers = await runKernelCases(ALL.map(({ question }) => question));
    expect(answers.filter((one) => one.loaded).map((one) => one.name)).toEqual(
      ALL.filter((one) => one.isReadable).map(({ question }) => question.name),
    );
  });
});
