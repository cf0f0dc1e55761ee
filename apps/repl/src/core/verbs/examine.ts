import { parseExpr } from "../expr.ts";
import { fault } from "../fault.ts";
import type { Session } from "../session.ts";
import { readMemory } from "../values.ts";

const FORM = /^\/(\d*)([xduotacsi]?)([bhwg]?)([xduotacsi]?)\s*(.*)$/s;
const BYTES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
const UNITS_MAX = 4096;

/** Examines memory as gdb's `x/NFU` does: `/16xb fp-16`. */
export function examine(args: string, session: Session): string {
  const found = FORM.exec(args);
  if (found === null) throw fault("REPL_USAGE", "usage: x/[N][xduotcsi][bhwg] ADDR");
  const count = Math.min(found[1] === "" ? 1 : Number(found[1]), UNITS_MAX);
  const form = found[2] || found[4] || "x";
  const size = BYTES[found[3] ?? ""] ?? (form === "c" ? 1 : 8);
  const place = found[5] ?? "";
  if (form === "i") return instructions(place, count, session);
  if (place === "") throw fault("REPL_USAGE", "usage: x/[N][xduotcsi][bhwg] ADDR");
  const address = parseExpr(place)(session.values());
  const { memory } = session.vm;
  if (form === "s") return JSON.stringify(cString(memory.u8, Number(address)));
  const each = Math.max(1, Math.floor(16 / size));
  const lines: string[] = [];
  for (let i = 0; i < count; i += each) {
    const row: string[] = [];
    for (let j = i; j < Math.min(count, i + each); j++) {
      const value = readMemory(memory, address + BigInt(j * size), size);
      if (value === undefined)
        throw fault("REPL_EXPR", `no memory at 0x${(address + BigInt(j * size)).toString(16)}`);
      row.push(printUnit(value, form, size));
    }
    lines.push(`0x${(address + BigInt(i * size)).toString(16)}:\t${row.join("\t")}`);
  }
  return lines.join("\n");
}

function printUnit(value: bigint, form: string, size: number): string {
  switch (form) {
    case "d":
      return `${BigInt.asIntN(size * 8, value)}`;
    case "u":
      return `${value}`;
    case "o":
      return `0${value.toString(8)}`;
    case "t":
      return value.toString(2).padStart(size * 8, "0");
    case "c":
      return value >= 0x20n && value < 0x7fn
        ? `${value} '${String.fromCharCode(Number(value))}'`
        : `${value}`;
    default:
      return `0x${value.toString(16).padStart(size * 2, "0")}`;
  }
}

const STRING_BYTES_MAX = 256;

function cString(bytes: Uint8Array, address: number): string {
  let text = "";
  for (let at = address; at < Math.min(bytes.length, address + STRING_BYTES_MAX); at++) {
    const byte = bytes[at] ?? 0;
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

function instructions(place: string, count: number, session: Session): string {
  const { stepper } = session.debuggee;
  const { prog } = stepper;
  let slot = place === "" ? stepper.slot : Number(parseExpr(place)(session.values()));
  const lines: string[] = [];
  for (let i = 0; i < count && slot < prog.insns.length; i++) {
    lines.push(
      `${slot === stepper.slot ? "=>" : "  "} ${String(slot).padStart(4)}: ${session.insnText(prog, slot)}`,
    );
    slot += prog.insns[slot]?.op === 0x18 ? 2 : 1;
  }
  return lines.join("\n");
}
