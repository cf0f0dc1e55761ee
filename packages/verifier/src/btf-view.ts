import type { Btf } from "@tsbpf/btf";

/** The program's types as the verifier reads them. */
export interface BtfView {
  readonly btf: Btf;
}
