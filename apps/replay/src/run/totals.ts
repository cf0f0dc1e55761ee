import type { ReplayOptions } from "../options.ts";
import { reasonToListen } from "./insight.ts";

/** Whether only totals are asked for: then nothing is made for a packet. */
export const wantsTotalsOnly = (options: ReplayOptions): boolean =>
  !options.json &&
  options.verbosity === 0 &&
  reasonToListen(options) === undefined &&
  options.hex === "none" &&
  options.showVerdicts === undefined &&
  options.write === undefined &&
  options.ingressIfindex === undefined &&
  options.rxQueue === undefined;
