import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { main, root, scratchFolder, tsbpf } from "./cli.ts";

/*
 * Recorders that are killed at random moments: what stands in the file up to the last whole block must be read again, all
 * of it, and be what went in. TSBPF_KILLS says how many; a few when it is not set.
 */

const KILLS = Number(process.env.TSBPF_KILLS ?? 2);
const PARSER = "samples/parser/parser.bpf.o";
const HEADER_BYTES = 16;
const BLOCK_HEADER_BYTES = 24;
const PCAP_HEADER_BYTES = 24;
const LAB_COPIES = 100;
const { at } = scratchFolder();

const lab = readFileSync(`${root}samples/captures/lab.pcap`);

/** A capture that takes a recorder a while. */
function longCapture(): string {
  const path = at("long.pcap");
  if (existsSync(path)) return path;
  const file = openSync(path, "w");
  writeSync(file, lab.subarray(0, PCAP_HEADER_BYTES));
  for (let copy = 0; copy < LAB_COPIES; copy++) writeSync(file, lab.subarray(PCAP_HEADER_BYTES));
  closeSync(file);
  return path;
}

/** Counts whole blocks by their headers alone. */
function wholeBlocks(bytes: Buffer): number {
  let blocks = 0;
  let end = HEADER_BYTES;
  while (end + BLOCK_HEADER_BYTES <= bytes.length) {
    end += BLOCK_HEADER_BYTES + bytes.readUInt32LE(end + 12);
    if (end > bytes.length) break;
    blocks++;
  }
  return blocks;
}

/** Records, and kills the recorder after so many milliseconds; false when it was done by then. */
async function recordAndKill(words: readonly string[], afterMs: number): Promise<boolean> {
  const child = spawn(process.execPath, [main, "record", ...words], { cwd: root, stdio: "ignore" });
  const closed = once(child, "close");
  await sleep(afterMs);
  child.kill("SIGKILL");
  const [, signal] = await closed;
  return signal === "SIGKILL";
}

/** Records of a pcap file without their times, which a trace holds in other units. */
function packetsOf(bytes: Buffer): string[] {
  const packets: string[] = [];
  for (let pos = PCAP_HEADER_BYTES; pos < bytes.length; ) {
    const length = bytes.readUInt32LE(pos + 8);
    packets.push(bytes.toString("latin1", pos + 12, pos + 16 + length));
    pos += 16 + length;
  }
  return packets;
}

describe("recorders that are killed at random moments", () => {
  const labPackets = packetsOf(lab);
  it.each(Array.from({ length: KILLS }, (_, idx) => idx))("lose nothing of whole blocks: %i", async (idx) => {
    const trace = at(`killed-${idx}.tsbpf`);
    const back = at("back.pcap");
    const words = idx % 2 === 0 ? [PARSER, longCapture()] : [longCapture()];
    // Start-up takes a fifth of a second, the recording a second or so.
    const moment = 200 + Math.random() * 900;
    const wasKilled = await recordAndKill([...words, "-w", trace], moment);
    if (!existsSync(trace)) return expect(wasKilled).toBe(true);
    const bytes = readFileSync(trace);
    const verified = tsbpf(["trace", "verify", trace]);
    if (bytes.length < HEADER_BYTES + BLOCK_HEADER_BYTES) {
      // Killed before the first block: an input error, and no stack trace.
      expect(`${verified.stdout}${verified.stderr}`).toMatch(/TRACE_HEADER_TRUNCATED|0 runs|ends within/);
      return;
    }
    const match = /(\d+) blocks, (\d+) runs can be read\n$/.exec(verified.stdout);
    expect(verified, `after ${moment} ms`).toMatchObject({ status: 0, stderr: "" });
    expect(Number(match?.[1])).toBe(wholeBlocks(bytes));
    const runs = Number(match?.[2]);
    expect(verified.stdout).toContain(wasKilled ? "not closed, what is there is whole" : ": whole,");
    const replayed = tsbpf(["replay", PARSER, trace]);
    expect(replayed.status).toBe(0);
    expect(replayed.stdout).toMatch(new RegExp(`total +${runs} `));
    expect(tsbpf(["trace", "convert", trace, back, "-q"]).status).toBe(0);
    const packets = packetsOf(readFileSync(back));
    expect(packets).toHaveLength(runs);
    expect(packets.every((packet, n) => packet === labPackets[n % labPackets.length])).toBe(true);
    rmSync(trace);
  });
});
