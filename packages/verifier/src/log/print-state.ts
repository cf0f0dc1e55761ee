import type { Env } from "../env.ts";
import { REG, type Reg } from "../state/reg.ts";
import { KIND, type Slot } from "../state/slot.ts";
import { type Frame, frameAt, type State } from "../state/state.ts";
import { printInsn } from "./print-insn.ts";
import { printReg } from "./print-reg.ts";

/** Marks a register of the current frame as shown with the next state comment. */
export function scratchReg(env: Env, regno: number): void {
  env.scratchedRegs |= 1 << regno;
}
export function scratchSlot(env: Env, spi: number): void {
  if (env.log.showsInsns) env.scratchedSlots.add(spi);
}
export function scratchAll(env: Env): void {
  env.scratchedRegs = -1;
  if (env.log.showsInsns) env.scratchedSlots = ALL_SLOTS;
}
const ALL_SLOTS: Set<number> = new Set(Array.from({ length: 64 }, (_, spi) => spi));
const isScratched = (env: Env): boolean => env.scratchedRegs !== 0 || env.scratchedSlots.size !== 0;
function cleanScratch(env: Env): void {
  env.scratchedRegs = 0;
  env.scratchedSlots = new Set();
}

function printObject(slot: Slot, spi: number, frame: Frame, frameno: number): string | undefined {
  const at = ` fp${-8 * (spi + 1)}=`;
  const reg = slot.reg as Reg;
  switch (slot.kinds[7]) {
    case KIND.spill:
      return at + slot.kinds.slice(0, slot.kinds.indexOf(KIND.spill)) + printReg(reg, frameno);
    case KIND.iter: {
      if (reg.refObjId === 0) return undefined;
      const iter = reg.x.iter;
      return `${at}iter_${iter?.name}(ref_id=${reg.refObjId},state=${iter?.isActive ? "active" : "drained"},depth=${iter?.depth})`;
    }
    case KIND.dynptr: {
      const main = frame.stack[spi + 1]?.reg ?? reg;
      const items: string[] = [];
      if (main.id !== 0) items.push(`id=${main.id}`);
      if (main.refObjId !== 0) items.push(`ref_id=${main.refObjId}`);
      if (main.x.dynptrId !== 0) items.push(`dynptr_id=${main.x.dynptrId}`);
      return ` fp${-8 * (spi + 2)}=dynptr_${main.x.dynptr?.type}(${items.join(",")})`;
    }
    default:
      return at + slot.kinds;
  }
}

/** Prints one frame of a state as a log line does, newline included. */
export function printState(env: Env, state: State, frameno: number, isWhole: boolean): string {
  const frame = frameAt(state, frameno);
  let text = frameno === 0 ? "" : ` frame${frameno}:`;
  for (let i = 0; i <= 10; i++) {
    const reg = frame.regs[i] as Reg;
    if (reg.type === REG.notInit || !(isWhole || (env.scratchedRegs >> i) & 1)) continue;
    text += ` R${i}=${printReg(reg, frameno)}`;
  }
  for (let spi = 0; spi < frame.stack.length; spi++) {
    if (!isWhole && !env.scratchedSlots.has(spi)) continue;
    const slot = frame.stack[spi] as Slot;
    if (slot.kinds === "????????") continue;
    text += printObject(slot, spi, frame, frameno) ?? "";
    if (slot.kinds[7] === KIND.dynptr) spi++;
  }
  const ids = state.refs.filter((ref) => ref.id !== 0).map((ref) => ref.id);
  if (ids.length > 0 && (state.refs[0]?.id ?? 0) !== 0) text += ` refs=${ids.join(",")}`;
  if (frame.inCallback) text += " cb";
  if (frame.inAsyncCallback) text += " async_cb";
  if (!isWhole) cleanScratch(env);
  return `${text}\n`;
}

const LOG_COLUMN = 40;
const LOG_STEP = 8;

/** Appends the comment with the changed registers to the last instruction line, or writes a line of its own. */
export function logInsnState(env: Env): void {
  const log = env.log;
  const frameno = env.cur.frames.length - 1;
  if (env.prevLogPos !== 0 && env.prevLogPos === log.position) {
    log.rewind(env.prevLogPos - 1);
    const used = env.prevInsnPrintLen;
    const width = Math.ceil(Math.max(used + LOG_STEP / 2, LOG_COLUMN) / LOG_STEP) * LOG_STEP - used - 1;
    log.write(`${" ".padStart(width)};`);
  } else {
    log.write(`${env.insnIdx}:`);
  }
  log.write(printState(env, env.cur, frameno, false));
}

/** Writes what the kernel shows before it executes an instruction. */
export function logBeforeInsn(env: Env): void {
  if (isScratched(env)) logInsnState(env);
  logSourceLine(env, env.insnIdx);
  const text = `${env.insnIdx}: ${printInsn(env, env.insnIdx)}`;
  env.prevInsnPrintLen = text.length;
  env.log.write(text);
  env.prevLogPos = env.log.position;
}

/** Writes `; text @ file:line` when the source line changed. */
export function logSourceLine(env: Env, slot: number): void {
  const lines = env.spec.lines;
  if (lines.length === 0 || !env.log.isOn) return;
  let low = 0;
  let high = lines.length - 1;
  let found = -1;
  while (low <= high) {
    const mid = (low + high) >> 1;
    if ((lines[mid]?.slot ?? 0) <= slot) {
      found = mid;
      low = mid + 1;
    } else high = mid - 1;
  }
  const line = lines[found];
  if (line === undefined || found === env.prevLine) return;
  const before = lines[env.prevLine];
  if (before !== undefined && before.fileName === line.fileName && before.line === line.line) return;
  env.prevLine = found;
  const base = line.fileName.slice(line.fileName.lastIndexOf("/") + 1);
  env.log.write(`; ${line.text.trimStart()} @ ${base}:${line.line}\n`);
}
