import { InputError } from "@tsbpf/base";
import { createServices, kernelHelpers, type VirtualClock } from "@tsbpf/helpers";
import { kernelMapTypes } from "@tsbpf/maps";
import { kernelProgTypes } from "@tsbpf/progs";
import { createCaptureParser, decompressCapture, PacketCursor } from "@tsbpf/trace";
import { chooseProg, createVm, type Execution, isElf, type LiveObject, type Prog } from "@tsbpf/vm";
import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { printMaps } from "../report/maps.ts";
import { type PacketOutcome, printPacket, printPacketJson } from "../report/packet.ts";
import { TraceRecorder } from "../report/trace.ts";
import { VerdictTally } from "../report/verdicts.ts";
import { loadPlugins } from "./plugins.ts";
import { CaptureOutput } from "./write-capture.ts";

/** What a replay did, for its caller's exit status. */
export interface ReplaySummary {
  readonly packets: number;
  readonly trapped: number;
  readonly isTruncated: boolean;
  readonly isInterrupted: boolean;
}

/** State of one replay: the program, what is counted, and where results go. */
interface Session {
  readonly options: ReplayOptions;
  readonly io: ReplayIo;
  readonly object: LiveObject;
  readonly prog: Prog;
  readonly clock: PacketClock;
  readonly tally: VerdictTally;
  readonly output: CaptureOutput | undefined;
  number: number;
  trapped: number;
  cutShort: number;
  isTruncated: boolean;
  isInterrupted: boolean;
}

/** Sets the program's clock to the time of a packet, so that a replay is the same every time. */
type PacketClock = (sec: number, nanos: number) => void;

const NS_PER_SEC = 1_000_000_000n;

/** Keeps the distances between packets: the first one comes one second after boot. */
function packetClock(clock: VirtualClock): PacketClock {
  let bootSec: number | undefined;
  return (sec, nanos) => {
    bootSec ??= sec - 1;
    clock.setNs(BigInt(Math.max(0, sec - bootSec)) * NS_PER_SEC + BigInt(nanos));
  };
}

/**
 * Replays captures through a program.
 *
 * @throws InputError for inputs that cannot be read, RejectError when the verifier refuses the program.
 */
export async function runReplay(options: ReplayOptions, io: ReplayIo): Promise<ReplaySummary> {
  const session = await openSession(options, io);
  for (const warning of session.object.spec.warnings) io.err(`warning: ${warning}\n`);
  for (const capture of options.captures) {
    await replayCapture(session, capture);
    if (session.isInterrupted || isDone(session)) break;
  }
  await session.output?.close();
  await printSummary(session);
  return {
    packets: session.number,
    trapped: session.trapped,
    isTruncated: session.isTruncated,
    isInterrupted: session.isInterrupted,
  };
}

async function openSession(options: ReplayOptions, io: ReplayIo): Promise<Session> {
  const bytes = await io.readAll(options.object);
  const plugins = await loadPlugins(options.plugins, io);
  const services = createServices();
  const vm = createVm({
    helpers: [...kernelHelpers, ...plugins.helpers],
    mapTypes: [...kernelMapTypes, ...plugins.mapTypes],
    progTypes: [...kernelProgTypes, ...plugins.progTypes],
    cpuCount: options.cpuCount,
    services,
    ...(options.budget === undefined ? {} : { budget: options.budget }),
  });
  const source = isElf(bytes) || looksBinary(bytes) ? bytes : new TextDecoder().decode(bytes);
  const object = vm.loadObject(source, {
    name: options.object.split("/").at(-1) ?? options.object,
    engine: options.engine,
    verify: options.verify,
  });
  const prog = object.prog(chooseProg(object.spec.progs, options.prog).name);
  return {
    options,
    io,
    object,
    prog,
    clock: packetClock(services.clock),
    tally: new VerdictTally(),
    output:
      options.write === undefined
        ? undefined
        : new CaptureOutput(options.write, await io.write(options.write)),
    number: 0,
    trapped: 0,
    cutShort: 0,
    isTruncated: false,
    isInterrupted: false,
  };
}

const looksBinary = (bytes: Uint8Array): boolean => bytes.subarray(0, 512).includes(0);

const isDone = ({ options, tally }: Session): boolean =>
  options.count !== undefined && tally.packets >= options.count;

async function replayCapture(session: Session, capture: string): Promise<void> {
  const { io, options } = session;
  const parser = createCaptureParser({ strict: options.strict });
  const source = decompressCapture(io.read(capture), { strict: options.strict });
  const cursor = new PacketCursor();
  const walk = async (): Promise<boolean> => {
    while (parser.next(cursor)) {
      if (options.packets !== undefined) {
        if (cursor.index + 1 > options.packets.last) return false;
        if (!options.packets.has(cursor.index + 1)) continue;
      }
      await replayPacket(session, capture, cursor, parser);
      if (isDone(session)) return false;
      if (io.signal?.aborted === true) {
        session.isInterrupted = true;
        return false;
      }
    }
    return true;
  };
  let goesOn = true;
  for await (const chunk of source) {
    parser.push(chunk);
    goesOn = await walk();
    if (!goesOn) break;
  }
  if (goesOn) {
    parser.end();
    await walk();
  }
  for (const warning of [...source.warnings, ...parser.warnings]) {
    session.isTruncated ||= warning.code.includes("TRUNCATED");
    io.err(`warning: ${capture}: ${warning.message}\n`);
  }
}

const ETHERNET = 1;
const NEEDS_ETHERNET: ReadonlySet<string> = new Set(["xdp", "sched_cls", "sched_act"]);

async function replayPacket(
  session: Session,
  capture: string,
  cursor: PacketCursor,
  parser: ReturnType<typeof createCaptureParser>,
): Promise<void> {
  const { prog, options, io, output } = session;
  const { type } = prog.linked.spec;
  if (cursor.linkType !== ETHERNET && NEEDS_ETHERNET.has(type)) {
    throw new InputError(
      "REPLAY_LINK_TYPE",
      `${capture}: packet ${cursor.index + 1} has link type ${cursor.linkType}, ${type} programs take Ethernet (1)`,
    );
  }
  const before = cursor.data();
  session.number += 1;
  if (cursor.capturedBytes < cursor.originalBytes) session.cutShort += 1;
  session.clock(cursor.tsSec, cursor.tsNanos);
  const { execution, trace } = runPacket(session, before);
  if (execution.trap !== undefined) session.trapped += 1;
  session.tally.add(execution.verdict, before.length);
  if (options.json || options.verbosity >= 1 || options.trace !== "none" || options.hex !== "none") {
    const outcome: PacketOutcome = {
      number: cursor.index + 1,
      capture,
      tsSec: cursor.tsSec,
      tsNanos: cursor.tsNanos,
      before,
      after: prog.packetView(),
      originalBytes: cursor.originalBytes,
      linkType: cursor.linkType,
      execution,
      trace,
    };
    await io.out(options.json ? printPacketJson(outcome) : printPacket(outcome, options));
  }
  const isWritten = options.writeVerdicts === undefined || options.writeVerdicts.includes(execution.verdict);
  if (output !== undefined && isWritten) {
    await output.add(
      cursor,
      {
        capture,
        data: prog.packetView().length === 0 ? before : prog.packetView(),
        comment: `${prog.name}: ${execution.verdict}`,
        ...(type === "xdp" && execution.trap === undefined ? { retval: execution.retval } : {}),
      },
      parser.interfaces[cursor.interfaceIdx],
    );
  }
}

/** Runs one packet; a trapped packet is traced when the verbosity asks for it. */
function runPacket(
  session: Session,
  packet: Uint8Array,
): { readonly execution: Execution; readonly trace: readonly string[] } {
  const { options, prog } = session;
  const fields = {
    ...(options.ingressIfindex === undefined ? {} : { ingress_ifindex: options.ingressIfindex }),
    ...(options.rxQueue === undefined ? {} : { rx_queue_index: options.rxQueue }),
  };
  const input = { packet, ...(Object.keys(fields).length === 0 ? {} : { fields }) };
  const what = options.trace !== "none" ? options.trace : options.verbosity >= 3 ? "insns" : undefined;
  if (what === undefined) return { execution: prog.execute(input), trace: [] };
  const recorder = new TraceRecorder(what);
  const execution = prog.execute(input, { hooks: recorder.hooks() });
  const isShown = options.trace !== "none" || options.verbosity >= 4 || execution.trap !== undefined;
  return { execution, trace: isShown ? recorder.lines : [] };
}

async function printSummary(session: Session): Promise<void> {
  const { options, io, tally, prog, object, output, cutShort } = session;
  if (cutShort > 0)
    io.err(`warning: ${cutShort} packets were cut short by the capture, their programs saw less\n`);
  if (prog.verdict?.isAccepted === false) {
    io.err(`warning: Linux would refuse the program (${prog.verdict.errnoName}): ${prog.verdict.summary}\n`);
  }
  if (options.json) {
    const verdicts = Object.fromEntries(tally.byVerdict);
    const summary = {
      prog: prog.name,
      type: prog.linked.spec.type,
      engine: options.engine,
      packets: tally.packets,
      bytes: tally.bytes,
      verdicts,
    };
    await io.out(`${JSON.stringify({ summary }, null, options.pretty ? 2 : undefined)}\n`);
  } else if (!options.isQuiet) {
    await io.out(`program ${prog.name} (${prog.linked.spec.type}), ${options.engine}\n${tally.print()}\n`);
  }
  if (output !== undefined && !options.json && !options.isQuiet) {
    await io.out(`${output.packets} packets written to ${options.write}\n`);
  }
  if (options.dumpMaps !== undefined) await io.out(printMaps(object, options.dumpMaps, options));
}
