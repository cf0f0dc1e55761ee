import { MAP_TYPES } from "@tsbpf/abi";
import { type Action, type Insn, wideImm } from "@tsbpf/isa";
import type { Env } from "../env.ts";
import type { MapInfo } from "../maps.ts";
import { reject } from "../reject.ts";
import { constReg, pointerReg, REG, UNKNOWN_REG } from "../state/reg.ts";
import { subprogAt } from "../structure/subprogs.ts";
import { checkWritable, writeReg } from "./regs.ts";

type Wide = Extract<Action, { kind: "wide" }>;

/** The two-slot loads: constants, maps, map values, functions, kernel symbols (C-3, A-87, C-120). */
export function walkWide(env: Env, insn: Insn, action: Wide): void {
  if (insn.off !== 0) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_LD_IMM64 uses reserved fields");
  }
  checkWritable(env, insn.dst);
  const slot = env.insnIdx;
  env.insnIdx += 2;
  switch (action.wideKind) {
    case "imm":
      writeReg(env, insn.dst, constReg(wideImm(env.insns, slot)));
      return;
    case "func":
      loadFunc(env, insn, slot);
      return;
    case "btf_id":
      loadSymbol(env, insn, slot);
      return;
    default: {
      const map = env.maps[env.mapOfSlot[slot] as number] as MapInfo;
      if (action.wideKind === "map_fd" || action.wideKind === "map_idx") {
        writeReg(env, insn.dst, pointerReg(REG.mapPtr, { x: { map } }));
        return;
      }
      if (map.type === MAP_TYPES.arena) {
        writeReg(env, insn.dst, UNKNOWN_REG);
        return;
      }
      const off = (env.insns[slot + 1]?.imm ?? 0) >>> 0;
      writeReg(env, insn.dst, pointerReg(REG.mapValue, { off, x: { map } }));
      return;
    }
  }
}

function loadFunc(env: Env, insn: Insn, slot: number): void {
  const subprog = subprogAt(env, slot + 1 + insn.imm);
  const bad = (text: string): never => {
    env.insnIdx = slot;
    return reject(env, "CALL_CALLBACK", "EINVAL", text);
  };
  if (env.spec.funcs.length === 0) {
    bad("missing btf func_info");
    return;
  }
  if (subprog === undefined || subprog.linkage !== "static") {
    bad("callback function not static");
    return;
  }
  writeReg(env, insn.dst, pointerReg(REG.func, { x: { subprog: subprog.idx } }));
}

function loadSymbol(env: Env, insn: Insn, slot: number): void {
  const symbol = env.ksymOfSlot.get(slot);
  if (symbol === undefined) {
    env.insnIdx = slot;
    reject(env, "REG_KSYM", "ENOENT", `ldimm64 insn specifies invalid btf_id ${insn.imm}.`);
  }
  // Sizes and types of kernel symbols are not known here: an untyped symbol of no size is what can be proven.
  writeReg(env, insn.dst, pointerReg(REG.mem, { flags: 1 << 1, x: { memBytes: 0 } }));
}
