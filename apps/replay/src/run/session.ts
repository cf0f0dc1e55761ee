import type { LiveObject, Prog } from "@tsbpf/vm";
import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { VerdictTally } from "../report/verdicts.ts";
import { loadProgram, type PacketClock, type Surroundings } from "./load.ts";
import { CaptureOutput } from "./write-capture.ts";

/** State of one replay: the program, what is counted, and where results go. */
export interface Session {
  readonly options: ReplayOptions;
  readonly io: ReplayIo;
  readonly object: LiveObject;
  readonly prog: Prog;
  readonly clock: PacketClock;
  readonly tally: VerdictTally;
  readonly output: CaptureOutput | undefined;
  trapped: number;
  /** Packets that the program type cannot take, and why the first of them. */
  refused: number;
  refusal: string;
  /** Packets that the capture holds only in part. */
  cutShort: number;
  isTruncated: boolean;
  isInterrupted: boolean;
}

/**
 * Loads the program and opens the output.
 *
 * @throws InputError for inputs that cannot be read, RejectError when the verifier refuses the program.
 */
export async function openSession(
  options: ReplayOptions,
  io: ReplayIo,
  surroundings: Surroundings = {},
): Promise<Session> {
  const { object, prog, clock } = await loadProgram(options, io, surroundings);
  const { progType } = prog.linked;
  return {
    options,
    io,
    object,
    prog,
    clock,
    tally: new VerdictTally((retval) => progType.verdictName(retval) ?? String(retval)),
    output:
      options.write === undefined
        ? undefined
        : new CaptureOutput(options.write, await io.write(options.write)),
    trapped: 0,
    refused: 0,
    refusal: "",
    cutShort: 0,
    isTruncated: false,
    isInterrupted: false,
  };
}
