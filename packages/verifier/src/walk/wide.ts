import { MAP_TYPES } from "@tsbpf/abi";
import { type Action, type Insn, wideImm } from "@tsbpf/isa";
import { symbolPointer } from "../btf/kernel-symbols.ts";
import type { Env } from "../env.ts";
import type { MapInfo } from "../maps.ts";
import { reject } from "../reject.ts";
import { constReg, pointerReg, REG, type Reg, UNKNOWN_REG } from "../state/reg.ts";
import { subprogAt } from "../structure/subprogs.ts";
import { checkWritable, fixReg, writeReg } from "./regs.ts";

type Wide = Extract<Action, { kind: "wide" }>;

/** The two-slot loads: constants, maps, map values, functions, kernel symbols (C-3, A-87, C-120). */
export function walkWide(env: Env, insn: Insn, action: Wide): void {
  if (insn.off !== 0) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_LD_IMM64 uses reserved fields");
  }
  checkWritable(env, insn.dst);
  const slot = env.insnIdx;
  writeReg(env, insn.dst, env.fixedRegs[slot] ?? fixReg(env, slot, loadedBy(env, insn, action, slot)));
  env.insnIdx += 2;
}

function loadedBy(env: Env, insn: Insn, action: Wide, slot: number): Reg {
  switch (action.wideKind) {
    case "imm":
      return constReg(wideImm(env.insns, slot));
    case "func":
      return funcReg(env, slot + 1 + insn.imm);
    case "btf_id":
      return symbolReg(env, insn, slot);
    default: {
      const map = env.maps[env.mapOfSlot[slot] as number] as MapInfo;
      if (action.wideKind === "map_fd" || action.wideKind === "map_idx") {
        return pointerReg(REG.mapPtr, { x: { map } });
      }
      if (map.type === MAP_TYPES.arena) return UNKNOWN_REG;
      const off = (env.insns[slot + 1]?.imm ?? 0) >>> 0;
      return pointerReg(REG.mapValue, { off, x: { map } });
    }
  }
}

function funcReg(env: Env, start: number): Reg {
  const subprog = subprogAt(env, start);
  if (env.spec.funcs.length === 0) reject(env, "CALL_CALLBACK", "EINVAL", "missing btf func_info");
  if (subprog === undefined || subprog.linkage !== "static") {
    reject(env, "CALL_CALLBACK", "EINVAL", "callback function not static");
  }
  return pointerReg(REG.func, { x: { subprog: subprog.idx } });
}

function symbolReg(env: Env, insn: Insn, slot: number): Reg {
  const symbol = env.ksymOfSlot.get(slot);
  if (symbol !== undefined) return symbolPointer(env, symbol.name);
  return reject(env, "REG_KSYM", "ENOENT", `ldimm64 insn specifies invalid btf_id ${insn.imm}.`);
}
