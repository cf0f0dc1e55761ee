import type { LinkedProg } from "@tsbpf/runtime";
import { BoundsCache } from "./bounds.ts";
import { type Code, predecode } from "./predecode.ts";
import { bindRounds } from "./rounds.ts";

/** A program as the loop takes it, with the bounds that its accesses met. */
export class Prepared {
  readonly engine = "interpreter";
  readonly prog: LinkedProg;
  readonly code: Code;
  readonly bounds = new BoundsCache();

  constructor(prog: LinkedProg, isChecked: boolean) {
    this.prog = prog;
    this.code = predecode(prog, isChecked);
    if (!isChecked) bindRounds(this);
  }
}
