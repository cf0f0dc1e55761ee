import type { Insn } from "@tsbpf/isa";

/** Names for what instructions hold as numbers; whatever is not named prints as a number. */
export interface PrintSymbols {
  /** Full name of a helper, e.g. `bpf_map_lookup_elem`. */
  readonly helperName?: (id: number) => string | undefined;
  /** Name of the kernel function that the call at a slot names. */
  readonly kfuncName?: (insn: Insn, slot: number) => string | undefined;
  /** Name of the map that the wide load at a slot refers to. */
  readonly mapName?: (slot: number) => string | undefined;
  /** Name of the kernel symbol that the wide load at a slot refers to. */
  readonly ksymName?: (slot: number) => string | undefined;
  /** Name of the function or label at a slot; jumps and calls to it print the name. */
  readonly labelName?: (slot: number) => string | undefined;
}

const NAME = /^[A-Za-z_.$][\w.$]*$/;
const RESERVED = /^(?:[rwRW]\d+|fp|pc|ll|func|ksym|map|map_value|subprog|btf|skb)$/;

/** Says whether a name can stand in a text and be read back as the same name. */
export const isPrintableName = (name: string): boolean => NAME.test(name) && !RESERVED.test(name);
