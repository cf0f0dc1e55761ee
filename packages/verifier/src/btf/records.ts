import type { RawRecords } from "@tsbpf/abi";
import type { Env } from "../env.ts";
import { reject, rejectSilently, rejectUnterminated } from "../reject.ts";

const RECORD_BYTES_MAX = 252;
const FUNC_BYTES = 8;
const LINE_BYTES = 16;

const isTailZero = (raw: RawRecords, record: number, known: number): boolean =>
  raw.bytes
    .subarray(record * raw.recordBytes + known, (record + 1) * raw.recordBytes)
    .every((byte) => byte === 0);

const countOf = (raw: RawRecords): number =>
  raw.recordBytes > 0 ? Math.floor(raw.bytes.length / raw.recordBytes) : 0;

const viewOf = (raw: RawRecords): DataView =>
  new DataView(raw.bytes.buffer, raw.bytes.byteOffset, raw.bytes.byteLength);

const isRecordSize = (bytes: number, least: number): boolean =>
  bytes >= least && bytes <= RECORD_BYTES_MAX && bytes % 4 === 0;

const badFunc = (env: Env, text: string): never => rejectUnterminated(env, "CFG_FUNC_INFO", "EINVAL", text);

/** Order and types of function records, before the functions are looked for (C-26..C-28). */
export function checkFuncRecords(env: Env): void {
  const raw = env.spec.funcInfo;
  if (raw === undefined) {
    env.spec.funcs.forEach((func, i) => {
      checkFuncOffset(env, i, func.slot, env.spec.funcs[i - 1]?.slot ?? 0);
      if (func.btfTypeId !== 0) checkFuncType(env, func.btfTypeId);
    });
    return;
  }
  const count = countOf(raw);
  if (count === 0) return;
  if (!isRecordSize(raw.recordBytes, FUNC_BYTES)) {
    reject(env, "CFG_FUNC_INFO", "EINVAL", `invalid func info rec size ${raw.recordBytes}`);
  }
  const view = viewOf(raw);
  let before = 0;
  for (let i = 0; i < count; i++) {
    if (!isTailZero(raw, i, FUNC_BYTES)) {
      rejectUnterminated(env, "CFG_FUNC_INFO", "E2BIG", "nonzero tailing record in func info");
    }
    const slot = view.getUint32(i * raw.recordBytes, true);
    checkFuncOffset(env, i, slot, before);
    checkFuncType(env, view.getUint32(i * raw.recordBytes + 4, true));
    before = slot;
  }
}

function checkFuncOffset(env: Env, i: number, slot: number, before: number): void {
  if (i === 0) {
    if (slot !== 0) badFunc(env, `nonzero insn_off ${slot} for the first func info record`);
  } else if (slot <= before) {
    badFunc(env, `same or smaller insn offset (${slot}) than previous func info record (${before})`);
  }
}

function checkFuncType(env: Env, id: number): void {
  const btf = env.btf?.btf;
  if (btf === undefined) return;
  const type = id < btf.endId ? btf.type(id) : undefined;
  if (type?.kind !== "func") badFunc(env, `invalid type id ${id | 0} in func info`);
  else if (btf.type(type.type).kind !== "func_proto") {
    rejectSilently(
      env,
      "CFG_FUNC_INFO",
      "EINVAL",
      `type ${type.type} of function ${type.name} is no prototype`,
    );
  }
}

/** Line records: their order, what they stand at, and that each function starts with one (C-32, C-33). */
export function checkLineRecords(env: Env): void {
  const raw = env.spec.lineInfo;
  if (raw === undefined) return;
  const count = countOf(raw);
  if (count === 0) return;
  if (!isRecordSize(raw.recordBytes, LINE_BYTES)) {
    const text = `line records of ${raw.recordBytes} bytes, multiples of 4 in 16..252 allowed`;
    rejectSilently(env, "CFG_LINE_INFO", "EINVAL", text);
  }
  const view = viewOf(raw);
  let before = 0;
  let found = 0;
  for (let i = 0; i < count; i++) {
    if (!isTailZero(raw, i, LINE_BYTES)) {
      rejectUnterminated(env, "CFG_LINE_INFO", "E2BIG", "nonzero tailing record in line_info");
    }
    const at = i * raw.recordBytes;
    const slot = view.getUint32(at, true);
    checkLine(env, i, {
      slot,
      before,
      file: view.getUint32(at + 4, true),
      text: view.getUint32(at + 8, true),
    });
    const start = env.subprogs[found]?.start;
    if (start === slot) found++;
    else if (start !== undefined && start < slot) badLine(env, `missing bpf_line_info for func#${found}`);
    before = slot;
  }
  if (found === env.subprogs.length) return;
  const missing = env.subprogs.length - found;
  badLine(env, `missing bpf_line_info for ${missing} funcs starting from func#${found}`);
}

const badLine = (env: Env, text: string): never => reject(env, "CFG_LINE_INFO", "EINVAL", text);

interface LineRecord {
  readonly slot: number;
  /** Slot of the record before. */
  readonly before: number;
  /** Offsets of the file's name and the line's text. */
  readonly file: number;
  readonly text: number;
}

function checkLine(env: Env, i: number, { slot, before, file, text }: LineRecord): void {
  if ((i > 0 && slot <= before) || slot >= env.len) {
    badLine(env, `Invalid line_info[${i}].insn_off:${slot} (prev_offset:${before} prog->len:${env.len})`);
  }
  if (env.insns[slot]?.op === 0) badLine(env, `Invalid insn code at line_info[${i}].insn_off`);
  const strings = env.btf?.btf.stringBytes ?? 0;
  if (file >= strings || text >= strings) badLine(env, `Invalid line_info[${i}].line_off or .file_name_off`);
}
