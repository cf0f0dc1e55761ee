import { type MapSpec, type ProgSpec, type ProgTypeName, protoByName } from "@tsbpf/abi";
import { assemble } from "@tsbpf/asm";

const VALUE_BYTES = 256;
const VALUES: MapSpec = {
  name: "values",
  type: "array",
  keyBytes: 4,
  valueBytes: VALUE_BYTES,
  maxEntries: 1,
  flags: 0,
};

/** Assembles a program; the only map it may name is `values`. */
function progOf(name: string, text: string, type: ProgTypeName = "socket_filter"): ProgSpec {
  const prog = assemble(text, { symbols: { helperIdOf: (helper) => protoByName(helper)?.id } });
  return {
    name,
    type,
    attachType: 0,
    flags: 0,
    license: "GPL",
    insns: prog.insns,
    maps: [VALUES],
    mapRefs: prog.mapRefs.map(({ slot }) => ({ slot, mapIdx: 0 })),
    kernelRefs: [],
    funcs: [],
    lines: [],
    autoload: true,
  };
}

/** r9 = a pointer to the map's only value; the program ends where there is none. */
const LOOKUP = `
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[values] ll
  call bpf_map_lookup_elem
  if r0 != 0 goto found
  exit
found:
  r9 = r0`;

/** Straight code over unknown numbers, the stack and a map value. */
export function straight(blocks: number): ProgSpec {
  const lines = [LOOKUP, "r6 = *(u64 *)(r9 + 0)", "r7 = *(u32 *)(r9 + 8)", "r8 = 1"];
  for (let i = 0; i < blocks; i++) {
    lines.push(
      `r8 += ${i & 0xff}`,
      "r7 &= 0xffff",
      "r7 += r6",
      `*(u64 *)(r10 - ${16 + 8 * (i % 32)}) = r7`,
      "w6 = w7",
      "r6 <<= 3",
      `r3 = *(u64 *)(r10 - ${16 + 8 * ((i >> 1) % 16)})`,
      "r6 ^= r3",
      `*(u32 *)(r9 + ${4 * (i % 63)}) = r6`,
      "r7 >>= 2",
    );
    // Slots are written before they are read.
    if (i === 0) for (let slot = 0; slot < 32; slot++) lines.push(`*(u64 *)(r10 - ${16 + 8 * slot}) = r8`);
  }
  return progOf("straight", [...lines, "r0 = 0", "exit"].join("\n"));
}

/** A counted loop, walked round by round. */
export function countedLoop(rounds: number): ProgSpec {
  return progOf(
    "counted-loop",
    `
  r6 = 0
  r7 = 1
  *(u64 *)(r10 - 8) = 0
top:
  r7 *= 3
  r7 ^= r6
  r3 = *(u64 *)(r10 - 8)
  r3 += r6
  *(u64 *)(r10 - 8) = r3
  r6 += 1
  if r6 < ${rounds} goto top
  r0 = 0
  exit`,
  );
}

/** A counted loop over unknown numbers that indexes a map value. */
export function indexingLoop(rounds: number): ProgSpec {
  return progOf(
    "indexing-loop",
    `${LOOKUP}
  r6 = 0
  r7 = *(u64 *)(r9 + 0)
top:
  r1 = r7
  r1 &= ${VALUE_BYTES - 8}
  r2 = r9
  r2 += r1
  r3 = *(u64 *)(r2 + 0)
  r7 += r3
  *(u8 *)(r2 + 1) = r7
  r6 += 1
  if r6 < ${rounds} goto top
  r0 = 0
  exit`,
  );
}

/** Branches whose sides differ in nothing that matters later: each is walked twice and then joined. */
export function joiningBranches(count: number): ProgSpec {
  const lines = [LOOKUP, "r7 = 0", "r8 = 0"];
  for (let i = 0; i < count; i++) {
    lines.push(
      `r6 = *(u8 *)(r9 + ${i % VALUE_BYTES})`,
      `if r6 s> ${i & 0x7f} goto a${i}`,
      `r7 += ${i}`,
      `*(u64 *)(r10 - ${8 + 8 * (i % 16)}) = r7`,
      `a${i}:`,
      `if r6 & ${1 << (i % 8)} goto b${i}`,
      "r8 ^= r6",
      `*(u64 *)(r10 - ${8 + 8 * (i % 16)}) = r8`,
      `b${i}:`,
    );
  }
  return progOf("joining-branches", [...lines, "r0 = r8", "exit"].join("\n"));
}

/** Branches whose sides differ for good: Linux gives up after a million instructions. */
export function ladder(steps: number): ProgSpec {
  const lines = [LOOKUP, "r6 = 0"];
  for (let i = 0; i < steps; i++) {
    lines.push(
      "r1 = r6",
      "call bpf_get_prandom_u32",
      `if r0 s> ${i} goto a${i}`,
      `r6 += ${2 ** i}`,
      `a${i}:`,
      "r7 = r6",
      "*(u64 *)(r10 - 16) = r7",
    );
  }
  lines.push(`if r6 > ${2 ** steps} goto out`, "r1 = r9", "r6 &= 63", "r1 += r6");
  return progOf("ladder", [...lines, "*(u8 *)(r1 + 0) = r6", "out:", "r0 = 0", "exit"].join("\n"));
}

/** Functions seven deep that pass pointers into their callers' frames on, called again and again. */
export function deepCalls(rounds: number): ProgSpec {
  const lines = [
    `
  r6 = 0
  *(u64 *)(r10 - 8) = 0
top:
  r1 = r10
  r1 += -8
  r2 = r6
  call f1
  r6 += 1
  if r6 < ${rounds} goto top
  r0 = *(u64 *)(r10 - 8)
  exit`,
  ];
  for (let depth = 1; depth <= 7; depth++) {
    lines.push(`
.func f${depth}
  r6 = r1
  r7 = r2
  *(u64 *)(r10 - 8) = r2
  r3 = *(u64 *)(r6 + 0)
  r3 += r7
  *(u64 *)(r6 + 0) = r3`);
    if (depth < 7) lines.push("r1 = r10", "r1 += -8", "r2 = r7", `call f${depth + 1}`);
    lines.push("r0 = *(u64 *)(r10 - 8)", "r0 += r7", "exit");
  }
  return progOf("deep-calls", lines.join("\n"));
}

/** Loops inside loops whose ends are unknown, with a packet behind an unknown offset. */
export function packetLoops(rounds: number): ProgSpec {
  return progOf(
    "packet-loops",
    `
  r6 = *(u32 *)(r1 + 0)
  r7 = *(u32 *)(r1 + 4)
  r8 = 0
  r9 = 0
top:
  r3 = r6
  r3 += r9
  r4 = r3
  r4 += 2
  if r4 > r7 goto out
  r5 = *(u8 *)(r3 + 0)
  if r5 == 0 goto out
  if r5 == 1 goto skip
  r5 = *(u8 *)(r3 + 1)
  r5 &= 15
skip:
  r9 += r5
  if r9 > 1000 goto out
  r8 += 1
  if r8 < ${rounds} goto top
out:
  r0 = 2
  exit`,
    "xdp",
  );
}
