import { equalBytes } from "@tsbpf/base";
import { crc32c } from "@tsbpf/trace";
import type { ReplayIo } from "../io.ts";
import { createPeekingIo } from "../trace/peek.ts";
import { walkInputs } from "../trace/walk.ts";
import { describeMap, type ExpectedPacket, printExpectations } from "./expect-file.ts";
import { MachineSide } from "./machine-side.ts";
import type { CompareOptions } from "./options.ts";

/**
 * Runs a program over packets and writes what it does as expectations.
 *
 * @returns packets run.
 * @throws InputError for inputs that cannot be read, RejectError when the verifier refuses the program.
 */
export async function writeExpectations(
  options: CompareOptions,
  path: string,
  given: ReplayIo,
): Promise<{ readonly packets: number; readonly isInterrupted: boolean }> {
  const peeking = createPeekingIo(given);
  const { io } = peeking;
  const definitions = await peeking.peekAll(options.captures);
  const side = await MachineSide.open(options, io, definitions);
  const runs: string[] = [];
  const verdicts: Record<string, number> = {};
  const changed = new Map<number, ExpectedPacket>();
  const { strict, packets, filter, count } = options;
  const walked = await walkInputs(
    io,
    options.captures,
    { strict, packets, filter, count, feed: side },
    (visit) => {
      const { verdict = "", packet } = side.run(visit);
      runs.push(verdict);
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
      if (packet === undefined || equalBytes(packet, visit.cursor.data())) return;
      changed.set(runs.length, { packet: runs.length, bytes: packet.length, crc: crc32c(packet) });
    },
  );
  const maps = Object.fromEntries([...side.maps].map(([name, map]) => [name, describeMap(map)]));
  const program = side.loaded.prog.name;
  const text = printExpectations({ program, packets: runs.length, verdicts, runs, changed, maps });
  const sink = await io.write(path);
  await sink.write(new TextEncoder().encode(text));
  await sink.close();
  if (path !== "-" && !options.isQuiet && !options.json)
    await io.out(`expectations of ${runs.length} packets written to ${path}\n`);
  return walked;
}
