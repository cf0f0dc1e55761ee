import { MAP_TYPES } from "@tsbpf/abi";
import { hasLock, needsMapUid } from "../maps.ts";
import { constReg, FLAG, isMaybeNull, REG, type Reg, withType } from "../state/reg.ts";
import { curFrame, mapRegs, type State } from "../state/state.ts";

const ZERO = constReg(0);

/** Turns an or_null pointer into the pointer; lookups in maps of maps and of sockets change type (S-28). */
export function dropNull(reg: Reg): Reg {
  const flags = reg.flags & ~FLAG.maybeNull;
  const map = reg.x.map;
  if (reg.type !== REG.mapValue || map === undefined) return withType(reg, reg.type, flags, reg.id);
  if (map.inner !== undefined) {
    const mapUid = needsMapUid(map.inner) ? reg.id : 0;
    return { ...reg, type: REG.mapPtr, flags, x: { ...reg.x, map: map.inner, mapUid } };
  }
  if (map.type === MAP_TYPES.xskmap) return withType(reg, REG.xdpSock, flags, reg.id);
  if (map.type === MAP_TYPES.sockmap || map.type === MAP_TYPES.sockhash) {
    return withType(reg, REG.sock, flags, reg.id);
  }
  return withType(reg, reg.type, flags, reg.id);
}

const mayHoldLock = (reg: Reg): boolean =>
  (reg.type === REG.mapValue && reg.x.map !== undefined && hasLock(reg.x.map)) ||
  (reg.type === REG.btfId && (reg.flags & FLAG.alloc) !== 0);

/** Applies a null check to all copies of a pointer (S-160). */
export function markNullness(state: State, regno: number, isNull: boolean): void {
  const checked = curFrame(state).regs[regno] as Reg;
  const { id, refObjId } = checked;
  if (refObjId !== 0 && refObjId === id && isNull) state.refs = state.refs.filter((ref) => ref.id !== id);
  mapRegs(state, (reg) => {
    if (!isMaybeNull(reg) || reg.id !== id) return reg;
    if (isNull) return ZERO;
    const next = dropNull(reg);
    return mayHoldLock(next) ? next : withType(next, next.type, next.flags, 0);
  });
}
