import { InputError, RejectError } from "@tsbpf/base";
import type {
  KernelAnswer,
  KernelCase,
  KernelMapDump,
  KernelMapValue,
  KernelRun,
  KernelRunAnswer,
} from "./case.ts";
import { LineProcess } from "./line-process.ts";
import { clientCommand } from "./probe.ts";

interface Reply {
  readonly error?: string;
  readonly runs?: readonly KernelRunAnswer[];
  readonly maps?: readonly KernelMapDump[];
}

async function askOk(lines: LineProcess, request: unknown): Promise<Reply> {
  const reply = (await lines.ask(request)) as Reply;
  if (reply.error !== undefined) throw new InputError("KERNEL_REQUEST", reply.error);
  return reply;
}

/** A program that stays loaded, with its maps, until it is closed. */
export class KernelProg {
  readonly answer: KernelAnswer;
  private readonly lines: LineProcess;
  private readonly handle: number;

  constructor(lines: LineProcess, handle: number, answer: KernelAnswer) {
    this.lines = lines;
    this.handle = handle;
    this.answer = answer;
  }

  /**
   * Runs the program over packets; maps keep what earlier runs left.
   *
   * @throws KERNEL_REQUEST (InputError) when a run is malformed or not allowed; what the kernel answers with
   *   an errno is no error here.
   */
  async run(runs: readonly KernelRun[]): Promise<readonly KernelRunAnswer[]> {
    return (await this.request({ op: "run", run: runs })).runs ?? [];
  }

  /** Writes entries of one map, as `init` does. */
  async update(map: number, entries: readonly (readonly [string, KernelMapValue])[]): Promise<void> {
    await this.request({ op: "update", map, entries });
  }

  /** Reads all maps, in the order of the case. */
  async dumpMaps(): Promise<readonly KernelMapDump[]> {
    return (await this.request({ op: "dump" })).maps ?? [];
  }

  /** Gives program and maps back to the kernel. */
  async close(): Promise<void> {
    await this.request({ op: "close" });
  }

  private request(fields: object): Promise<Reply> {
    return askOk(this.lines, { ...fields, handle: this.handle });
  }
}

/** How a client asks. */
export interface KernelClientOptions {
  /** "bpf" asks without CAP_PERFMON and CAP_SYS_ADMIN, through setpriv(1); "all" is the default. */
  readonly privilege?: "all" | "bpf";
}

/** A conversation with the kernel: one process, which owns whatever it opened and takes it along when it ends. */
export class KernelClient {
  private readonly lines: LineProcess;

  constructor(options: KernelClientOptions = {}) {
    const [command, ...args] = clientCommand(options.privilege ?? "all");
    this.lines = new LineProcess(command, args);
  }

  /** Asks for the verdict on one case, runs it, and frees everything. */
  async ask(one: KernelCase): Promise<KernelAnswer> {
    return (await this.lines.ask(one)) as KernelAnswer;
  }

  /**
   * Loads a program and keeps it, for runs to come.
   *
   * @throws KERNEL_REJECTED (RejectError) with the answer in its details when the kernel refuses.
   */
  async open(one: KernelCase): Promise<KernelProg> {
    const { handle, ...answer } = (await this.lines.ask({ ...one, op: "open" })) as KernelAnswer & {
      handle?: number;
    };
    if (handle === undefined) {
      const why = answer.error ?? `${answer.errname}: ${answer.errline}`;
      throw new RejectError("KERNEL_REJECTED", why, { details: { answer } });
    }
    return new KernelProg(this.lines, handle, answer);
  }

  /** Names a BTF blob (hex), so that cases can say `btf: "@NAME"` instead of carrying it each time. */
  async nameBtf(name: string, btf: string): Promise<void> {
    await askOk(this.lines, { op: "btf", key: name, btf });
  }

  /** Ends the process; the kernel frees what is still open. */
  close(): Promise<void> {
    return this.lines.close();
  }
}

// Requests in flight: enough to hide the round trip, few enough that answers do not pile up.
const WINDOW = 64;

/**
 * Asks the kernel about each case in turn; answers come in the order of the cases.
 *
 * @throws KERNEL_CLIENT_GONE (UnsupportedError) when the client cannot start; ask {@link isBpfAllowed} first.
 */
export async function runKernelCases(
  cases: Iterable<KernelCase>,
  options: KernelClientOptions = {},
): Promise<KernelAnswer[]> {
  const client = new KernelClient(options);
  const answers: KernelAnswer[] = [];
  try {
    const inFlight: Promise<KernelAnswer>[] = [];
    const collect = async () => {
      const next = inFlight.shift();
      if (next !== undefined) answers.push(await next);
    };
    for (const one of cases) {
      const answer = client.ask(one);
      // When one fails, all behind it do; only the first is reported.
      answer.catch(() => undefined);
      inFlight.push(answer);
      if (inFlight.length >= WINDOW) await collect();
    }
    while (inFlight.length > 0) await collect();
  } finally {
    await client.close();
  }
  return answers;
}
