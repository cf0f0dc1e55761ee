import type { TrapError } from "@tsbpf/base";
import { funcAt } from "@tsbpf/runtime";
import type { LiveObject, Prog } from "@tsbpf/vm";

/** Says where a run trapped: `mix+12 (slot 225), calls.bpf.c:49: h ^= word;`; undefined when the trap does not say. */
export function printTrapPlace(trap: TrapError, prog: Prog, object: LiveObject): string | undefined {
  const { slot, prog: name } = trap.details;
  if (typeof slot !== "number") return undefined;
  const isOther = typeof name === "string" && name !== prog.name;
  const linked =
    isOther && object.spec.progs.some((one) => one.name === name) ? object.prog(name).linked : prog.linked;
  const func = funcAt(linked, slot);
  const place = func === undefined ? `slot ${slot}` : `${func.name}+${slot - func.start} (slot ${slot})`;
  const line = linked.spec.lines.findLast((one) => one.slot <= slot);
  if (line === undefined) return place;
  const file = line.fileName.split("/").at(-1) ?? line.fileName;
  return `${place}, ${file}:${line.line}: ${line.text.trim()}`;
}
