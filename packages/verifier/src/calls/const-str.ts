import { MAP_TYPES } from "@tsbpf/abi";
import { frozenBytes } from "../access/map-value.ts";
import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { isReadOnlyToProg, type MapInfo } from "../maps.ts";
import { reject } from "../reject.ts";
import type { Reg } from "../state/reg.ts";

/** Checks a string argument: constant, NUL-terminated, in a frozen read-only map (H-31). */
export function checkConstStr(env: Env, reg: Reg, regno: number): void {
  const bad = (text: string, errno: "EACCES" | "EINVAL" = "EACCES"): never =>
    reject(env, "CALL_ARG_STRING", errno, text);
  const map = reg.x.map as MapInfo;
  if (!isReadOnlyToProg(map) || !map.isFrozen) bad(`R${regno} does not point to a readonly map'`);
  if (!isConst(reg.val)) bad(`R${regno} is not a constant address'`);
  if (map.type !== MAP_TYPES.array) bad("no direct value access support for this map type");
  const at = reg.off + Number(reg.val.smin);
  const bytes = frozenBytes(map);
  if (bytes === undefined || at < 0 || at >= bytes.length) {
    bad("direct value access on string failed", "EINVAL");
    return;
  }
  if (bytes.indexOf(0, at) < 0) bad("string is not zero-terminated", "EINVAL");
}
