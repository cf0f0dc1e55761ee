import type { ArgSpec, HelperProto } from "@tsbpf/abi";
import { joinU64, printHex } from "@tsbpf/base";
import { canAccess, PERM } from "@tsbpf/memory";
import type { BpfMap } from "@tsbpf/plugin";
import { isFuncStart } from "../linked-prog.ts";
import type { Machine } from "../machine.ts";
import { isFuncPointer } from "../target.ts";
import { trap } from "../trap.ts";
import { checkArgSpan, sizeIn } from "./access.ts";

/**
 * Checks the arguments of a helper call against its prototype, for programs that no verifier saw: the helper's
 * implementation may then rely on them as it relies on a verified program.
 */
export type ArgCheck = (machine: Machine, regs: Int32Array) => void;

/** One argument of one prototype, with what its check needs. */
interface Site {
  readonly proto: HelperProto;
  readonly arg: ArgSpec;
  /** 1..5 */
  readonly reg: number;
  /** Helper and argument, for texts. */
  readonly who: string;
}

/** Largest string that a format may be, with its NUL. */
const STRING_BYTES_MAX = 4096;
/** Bytes of objects that helpers keep in memory of the program. @source linux uapi/linux/bpf.h */
const OBJECT_BYTES = { spin_lock: 4, timer: 16, dynptr: 16, kptr: 8 } as const;

/** Makes the checks of a prototype, in the order of its registers. */
export function makeArgChecks(proto: HelperProto): readonly ArgCheck[] {
  return proto.args.flatMap((arg, idx) => {
    const check = makeArgCheck({
      proto,
      arg,
      reg: idx + 1,
      who: `${proto.name}, ${arg.name} in r${idx + 1}`,
    });
    return check === undefined ? [] : [check];
  });
}

function makeArgCheck(site: Site): ArgCheck | undefined {
  const { arg } = site;
  switch (arg.kind) {
    case "scalar":
    case "size":
    case "alloc_size":
      return makeScalarCheck(site);
    case "ctx":
      return makeCtxCheck(site);
    case "map":
      return makeMapCheck(site);
    case "map_key":
    case "map_value":
      return makeMapMemoryCheck(site);
    case "mem":
      return makeMemCheck(site);
    case "const_str":
      return makeStringCheck(site);
    case "func":
      return makeFuncCheck(site);
    case "spin_lock":
    case "timer":
    case "dynptr":
    case "kptr":
      return makeObjectCheck(site, OBJECT_BYTES[arg.kind]);
    case "ringbuf_mem":
      return makeObjectCheck(site, 1);
    case "callback_ctx":
    case "btf_id":
    case "btf_id_sock_common":
    case "sock_common":
    case "socket":
    case "percpu_btf_id":
      // Handed on, or a kernel object that the implementation itself must know.
      return undefined;
  }
}

const valueIn = (regs: Int32Array, reg: number): bigint =>
  joinU64(regs[2 * reg] as number, regs[2 * reg + 1] as number);

const isNull = (regs: Int32Array, reg: number): boolean => regs[2 * reg] === 0 && regs[2 * reg + 1] === 0;

const refuse = (site: Site, regs: Int32Array, allowed: string): Error =>
  trap("RUN_ARGUMENT", `${site.who} holds ${printHex(valueIn(regs, site.reg))}, ${allowed}`, {
    helper: site.proto.name,
    argument: site.arg.name,
    reg: site.reg,
  });

function makeScalarCheck(site: Site): ArgCheck | undefined {
  const { arg, reg } = site;
  const smallest = arg.min ?? (arg.kind === "size" && arg.allowZero !== true ? 1n : undefined);
  const { max } = arg;
  if (smallest === undefined && max === undefined) return undefined;
  const min = smallest ?? 0n;
  const allowed = max === undefined ? `at least ${min} allowed` : `${min}..${max} allowed`;
  return (_machine, regs) => {
    const value = valueIn(regs, reg);
    if (value < min || (max !== undefined && value > max)) throw refuse(site, regs, allowed);
  };
}

function makeCtxCheck(site: Site): ArgCheck {
  const { reg } = site;
  return ({ env }, regs) => {
    if (regs[2 * reg + 1] !== 0 || (regs[2 * reg] as number) >>> 0 !== env.ctxAddress) {
      throw refuse(site, regs, "the context pointer is needed");
    }
  };
}

function makeMapCheck(site: Site): ArgCheck {
  const { arg, reg } = site;
  return (machine, regs) => {
    const map = mapIn(machine, regs, reg);
    if (map === undefined) throw refuse(site, regs, "a map pointer is needed");
    const { mapTypes } = arg;
    if (mapTypes !== undefined && !mapTypes.includes(map.spec.type)) {
      throw refuse(site, regs, `map ${map.spec.name} is a ${map.spec.type}, ${mapTypes.join(" or ")} needed`);
    }
  };
}

function mapIn({ env }: Machine, regs: Int32Array, reg: number): BpfMap | undefined {
  return regs[2 * reg + 1] === 0 ? env.mapAt((regs[2 * reg] as number) >>> 0) : undefined;
}

/** Returns the register of the map that a key or value belongs to. */
export function mapRegOf(proto: HelperProto, arg: ArgSpec): number {
  return (
    proto.args.findIndex((one) => one.kind === "map" && (arg.of === undefined || one.name === arg.of)) + 1
  );
}

/** Returns the register of the size that bounds a memory argument. */
export const sizeRegOf = (proto: HelperProto, arg: ArgSpec): number =>
  proto.args.findIndex((one) => one.name === arg.size) + 1;

const permOf = (arg: ArgSpec): number =>
  arg.access === "write" ? PERM.write : arg.access === "readwrite" ? PERM.readWrite : PERM.read;

function makeMapMemoryCheck(site: Site): ArgCheck {
  const { arg, proto, reg, who } = site;
  const mapReg = mapRegOf(proto, arg);
  const perm = permOf(arg);
  return (machine, regs) => {
    if (arg.nullable === true && isNull(regs, reg)) return;
    const map = mapIn(machine, regs, mapReg);
    if (map === undefined) throw refuse(site, regs, "a map pointer is needed beside it");
    const sizeBytes = arg.kind === "map_key" ? map.spec.keyBytes : map.spec.valueBytes;
    checkArgSpan(
      machine,
      { lo: regs[2 * reg] as number, hi: regs[2 * reg + 1] as number, sizeBytes, perm },
      who,
    );
  };
}

function makeMemCheck(site: Site): ArgCheck {
  const { arg, proto, reg, who } = site;
  const perm = permOf(arg);
  const sizeReg = arg.sizeBytes === undefined ? sizeRegOf(proto, arg) : 0;
  return (machine, regs) => {
    const sizeBytes = arg.sizeBytes ?? (sizeReg === 0 ? 1 : sizeIn(regs, sizeReg));
    if (arg.nullable === true && isNull(regs, reg)) return;
    checkArgSpan(
      machine,
      { lo: regs[2 * reg] as number, hi: regs[2 * reg + 1] as number, sizeBytes, perm },
      who,
    );
  };
}

function makeStringCheck(site: Site): ArgCheck {
  const { reg, who } = site;
  return (machine, regs) => {
    const { memory } = machine.env;
    const lo = regs[2 * reg] as number;
    const hi = regs[2 * reg + 1] as number;
    for (let i = 0; i < STRING_BYTES_MAX; i++) {
      if (hi !== 0 || !canAccess(memory, lo + i, 1, PERM.read)) {
        checkArgSpan(machine, { lo: lo + i, hi, sizeBytes: 1, perm: PERM.read }, who);
      }
      if (memory.u8[(lo + i) >>> 0] === 0) return;
    }
    throw refuse(site, regs, `a string of at most ${STRING_BYTES_MAX - 1} bytes and a NUL is needed`);
  };
}

function makeFuncCheck(site: Site): ArgCheck {
  const { reg } = site;
  return ({ current }, regs) => {
    const isFunc = isFuncPointer(regs[2 * reg + 1] as number);
    if (!isFunc || current === undefined || !isFuncStart(current.prog, regs[2 * reg] as number)) {
      throw refuse(site, regs, "a function of the program is needed");
    }
  };
}

function makeObjectCheck(site: Site, sizeBytes: number): ArgCheck {
  const { arg, reg, who } = site;
  return (machine, regs) => {
    if (arg.nullable === true && isNull(regs, reg)) return;
    const span = {
      lo: regs[2 * reg] as number,
      hi: regs[2 * reg + 1] as number,
      sizeBytes,
      perm: PERM.readWrite,
    };
    checkArgSpan(machine, span, who);
  };
}
