import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const CLIENT_PATH = fileURLToPath(new URL("../bpf_client.py", import.meta.url));

/** The interpreter of the client; TSBPF_PYTHON names another one. */
export const pythonCommand = (): string => process.env.TSBPF_PYTHON ?? "python3";

const PROBE_TIMEOUT_MS = 20_000;

/** Whether bpf(2) may be used here; `why` says why not. */
export interface BpfProbe {
  readonly allowed: boolean;
  readonly kernel: string;
  readonly why: string;
}

function probe(): BpfProbe {
  const no = (why: string): BpfProbe => ({ allowed: false, kernel: "", why });
  if (process.platform !== "linux") return no("not Linux");
  const done = spawnSync(pythonCommand(), [CLIENT_PATH, "--probe"], {
    encoding: "utf8",
    timeout: PROBE_TIMEOUT_MS,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (done.error !== undefined) return no(`${pythonCommand()} does not start: ${done.error.message}`);
  if (done.status !== 0) return no(`the probe ends with ${done.status}: ${done.stderr.trim()}`);
  const { allowed, kernel, why } = JSON.parse(done.stdout) as BpfProbe;
  return { allowed, kernel, why };
}

let answered: BpfProbe | undefined;

/** Asks once whether the kernel lets this process load and run a program, and remembers the answer. */
export function probeBpf(): BpfProbe {
  answered ??= probe();
  return answered;
}

/**
 * Says whether the kernel lets this process use bpf(2); false too where python3 is absent.
 *
 * @example describe.skipIf(!isBpfAllowed())("against the kernel", () => {});
 */
export const isBpfAllowed = (): boolean => probeBpf().allowed;
