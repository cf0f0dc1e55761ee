import type { ProgSpec } from "@tsbpf/abi";
import { parseBtf, resolveType } from "@tsbpf/btf";
import type { BtfView } from "../btf-view.ts";
import type { Env, Subprog } from "../env.ts";
import { Rejection, reject } from "../reject.ts";
import { prepareFuncArgs } from "./func-args.ts";

/** Types by the bytes that hold them, which nobody changes: the programs of an object share theirs. */
const OPENED = new WeakMap<Uint8Array, BtfView>();

/** Opens the program's BTF, if it has any. */
export function openBtf({ btf }: ProgSpec): BtfView | undefined {
  if (btf === undefined || btf.length === 0) return undefined;
  const known = OPENED.get(btf);
  if (known !== undefined) return known;
  const opened = { btf: parseBtf(btf) };
  OPENED.set(btf, opened);
  return opened;
}

const MAX_INT_BYTES = 8;
const EXCEPTION_TAG = "exception_callback:";

/** Binding of BTF function records to functions (C-26..C-30, C-150). */
export const bindFuncs = {
  /** Slot of the function named by the exception callback tag of the entry; 0 when there is none. */
  exceptionCallbackSlot(env: Env): number {
    const btf = env.btf?.btf;
    const main = env.spec.funcs[0];
    if (btf === undefined || main === undefined || main.btfTypeId === 0) return 0;
    let name: string | undefined;
    for (const type of btf.types()) {
      if (type.kind !== "decl_tag" || type.type !== main.btfTypeId || type.component !== -1) continue;
      if (!type.name.startsWith(EXCEPTION_TAG)) continue;
      if (name !== undefined) {
        reject(env, "CALL_EXCEPTION", "EEXIST", "multiple exception callback tags for main subprog");
      }
      name = type.name.slice(EXCEPTION_TAG.length);
    }
    if (name === undefined) return 0;
    const id = btf.idsOf(name, "func")[0];
    if (id === undefined) {
      return reject(
        env,
        "CALL_EXCEPTION",
        "ENOENT",
        `exception callback '${name}' could not be found in BTF`,
      );
    }
    const func = btf.type(id);
    if (func.kind !== "func" || func.linkage !== "global") {
      reject(env, "CALL_EXCEPTION", "EINVAL", `exception callback '${name}' must have global linkage`);
    }
    const record = env.spec.funcs.find((one) => one.btfTypeId === id);
    if (record === undefined) {
      return reject(env, "CALL_EXCEPTION", "EINVAL", "exception callback type id not found in func_info");
    }
    if (record.slot === 0) {
      reject(env, "CALL_EXCEPTION", "EINVAL", "invalid exception callback insn_off in func_info: 0");
    }
    return record.slot;
  },

  /** Checks function records against the functions found, and takes names and linkage over. */
  bind(env: Env): void {
    const funcs = env.spec.funcs;
    if (funcs.length === 0) return;
    if (funcs.length !== env.subprogs.length) {
      reject(env, "CFG_FUNC_INFO", "EINVAL", "number of funcs in func_info doesn't match number of subprogs");
    }
    funcs.forEach((func, i) => {
      const subprog = env.subprogs[i] as Subprog;
      if (func.slot !== subprog.start) {
        reject(
          env,
          "CFG_FUNC_INFO",
          "EINVAL",
          "func_info BTF section doesn't match subprog layout in BPF program",
        );
      }
      subprog.name = func.name;
      subprog.btfTypeId = func.btfTypeId;
      subprog.linkage = func.linkage === "global" ? "global" : "static";
    });
  },

  /** Says of functions with BTF whether they return an integer; undefined without BTF. */
  returnsInt(env: Env): ((subprog: Subprog) => boolean) | undefined {
    const btf = env.btf?.btf;
    if (btf === undefined || env.spec.funcs.length === 0) return undefined;
    return (subprog) => {
      const func = btf.type(subprog.btfTypeId);
      if (func.kind !== "func") return false;
      const proto = btf.type(func.type);
      if (proto.kind !== "func_proto") return false;
      const ret = resolveType(btf, proto.returns);
      return (
        (ret.kind === "int" || ret.kind === "enum" || ret.kind === "enum64") && ret.sizeBytes <= MAX_INT_BYTES
      );
    };
  },

  /** Looks at the entry's own signature; what is wrong there is only logged (C-98). */
  checkMain(env: Env, main: Subprog): void {
    if (env.spec.funcs.length === 0) return;
    try {
      const args = prepareFuncArgs(env, main);
      if (args.length !== 1 || args[0]?.kind !== "ctx") main.isUnreliable = true;
    } catch (thrown) {
      if (!(thrown instanceof Rejection)) throw thrown;
      main.isUnreliable = true;
    }
  },
};
