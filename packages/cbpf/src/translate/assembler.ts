import { invariant } from "@tsbpf/base";
import { type Insn, insnOfRow, rowOfId } from "@tsbpf/isa";

/** Where a jump leads: a classic instruction by its index, or the end that refuses the packet. */
export type Target = number | "reject";

type Fields = Partial<Omit<Insn, "op">>;

/** A slot, or a jump whose distance is not known yet. */
type Item =
  | { readonly kind: "insn"; readonly insn: Insn }
  | { readonly kind: "jump"; readonly to: Target; readonly when: Insn | undefined };

const OFF_MAX = 0x7fff;

function rowInsn(id: string, fields: Fields): Insn {
  const row = rowOfId(id);
  invariant(row !== undefined, "the instruction set has the row", { id });
  return insnOfRow(row, fields);
}

/** Collects eBPF for classic instructions one after the other, then fits the jumps in. */
export class Assembler {
  private readonly items: Item[] = [];
  /** Index in `items` of each classic instruction. */
  private readonly starts = new Map<Target, number>();

  /** Starts what a classic instruction, or the refusing end, becomes. */
  begin(at: Target): void {
    this.starts.set(at, this.items.length);
  }

  /** Appends the instruction of a row. */
  emit(id: string, fields: Fields = {}): void {
    this.items.push({ kind: "insn", insn: rowInsn(id, fields) });
  }

  jump(to: Target): void {
    this.items.push({ kind: "jump", to, when: undefined });
  }

  /** Jumps when the condition of a row holds. */
  jumpIf(id: string, fields: Fields, to: Target): void {
    this.items.push({ kind: "jump", to, when: rowInsn(id, fields) });
  }

  /** Says whether a jump leads to a target. */
  leadsTo(target: Target): boolean {
    return this.items.some((item) => item.kind === "jump" && item.to === target);
  }

  /** Returns the code; jumps too far for 16 bits become `gotol`. */
  finish(): Insn[] {
    const insns = this.fit(false) ?? this.fit(true);
    invariant(insns !== undefined, "far jumps reach everything");
    return insns;
  }

  private fit(isFar: boolean): Insn[] | undefined {
    const starts = new Int32Array(this.items.length + 1);
    this.items.forEach((item, i) => {
      const slots = item.kind === "jump" && item.when !== undefined && isFar ? FAR_BRANCH_SLOTS : 1;
      starts[i + 1] = (starts[i] as number) + slots;
    });
    const insns: Insn[] = [];
    for (const item of this.items) {
      if (item.kind === "insn") {
        insns.push(item.insn);
        continue;
      }
      const start = this.starts.get(item.to);
      invariant(start !== undefined, "a jump leads to a translated instruction", { to: item.to });
      const slots = jumpSlots(item.when, (starts[start] as number) - insns.length - 1, isFar);
      if (slots === undefined) return undefined;
      insns.push(...slots);
    }
    return insns;
  }
}

const FAR_BRANCH_SLOTS = 3;

/** Makes a jump over `distance` slots; undefined when a near one does not reach. */
function jumpSlots(when: Insn | undefined, distance: number, isFar: boolean): Insn[] | undefined {
  if (!isFar) {
    if (Math.abs(distance) > OFF_MAX) return undefined;
    return [when === undefined ? rowInsn("ja", { off: distance }) : { ...when, off: distance }];
  }
  if (when === undefined) return [rowInsn("gotol", { imm: distance })];
  // Over the jump that goes on, to the one that goes far.
  return [{ ...when, off: 1 }, rowInsn("ja", { off: 1 }), rowInsn("gotol", { imm: distance - 2 })];
}
