import type { HelperPlugin } from "@tsbpf/plugin";
import { basicKfuncs } from "./kfunc-basic.ts";
import { dynptrKfuncs } from "./kfunc-dynptr.ts";
import { textKfuncs } from "./kfunc-text.ts";

/** The kernel functions of Linux that are implemented. A program that calls another one traps with its name. */
export const kernelKfuncs: readonly HelperPlugin[] = [...basicKfuncs, ...dynptrKfuncs, ...textKfuncs];
