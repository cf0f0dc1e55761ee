import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const CLIENT_PATH = fileURLToPath(new URL("../bpf_client.py", import.meta.url));

/** The interpreter of the client; TSBPF_PYTHON names another one. */
const pythonCommand = (): string => process.env.TSBPF_PYTHON ?? "python3";

/** The command of the client, with less capabilities where that is asked for. */
export const clientCommand = (privilege: "all" | "bpf"): readonly [string, ...string[]] =>
  privilege === "all"
    ? [pythonCommand(), CLIENT_PATH]
    : ["setpriv", "--bounding-set=-perfmon,-sys_admin", pythonCommand(), CLIENT_PATH];

const PROBE_TIMEOUT_MS = 20_000;

/** Whether bpf(2) may be used here; `why` says why not. */
export interface BpfProbe {
  readonly allowed: boolean;
  readonly kernel: string;
  readonly why: string;
}

function probe(privilege: "all" | "bpf"): BpfProbe {
  const no = (why: string): BpfProbe => ({ allowed: false, kernel: "", why });
  if (process.platform !== "linux") return no("not Linux");
  const [command, ...args] = clientCommand(privilege);
  const done = spawnSync(command, [...args, "--probe"], {
    encoding: "utf8",
    timeout: PROBE_TIMEOUT_MS,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (done.error !== undefined) return no(`${command} does not start: ${done.error.message}`);
  if (done.status !== 0) return no(`the probe ends with ${done.status}: ${done.stderr.trim()}`);
  const { allowed, kernel, why } = JSON.parse(done.stdout) as BpfProbe;
  return { allowed, kernel, why };
}

const answered: { all?: BpfProbe; bpf?: BpfProbe } = {};

/** Asks once whether the kernel lets this process load and run a program, and remembers the answer. */
export function probeBpf(privilege: "all" | "bpf" = "all"): BpfProbe {
  const known = answered[privilege] ?? probe(privilege);
  answered[privilege] = known;
  return known;
}

/**
 * Says whether the kernel lets this process use bpf(2); false too where python3 is absent.
 *
 * @example describe.skipIf(!isBpfAllowed())("against the kernel", () => {});
 */
export const isBpfAllowed = (privilege: "all" | "bpf" = "all"): boolean => probeBpf(privilege).allowed;
