import { readFileSync } from "node:fs";
import { isBpfAllowed, KernelClient } from "@tsbpf/kernel";
import { walkCapture } from "@tsbpf/trace";
import { createVm } from "@tsbpf/vm";
import { describe, expect, it } from "vitest";
import { comparePackets } from "../src/packets.ts";

const samples = new URL("../../../samples/", import.meta.url);
const read = (path: string) => new Uint8Array(readFileSync(new URL(path, samples)));
const packets = [...walkCapture(read("captures/lab.pcap"))].map((record) => record.data);

describe.skipIf(!isBpfAllowed())("packets through the running kernel and through us", () => {
  it.each([
    "parser/parser.bpf.o",
    "calls/calls.bpf.o",
    "rewrite/rewrite.bpf.o",
    "sockfilter/sockfilter.bpf.o",
  ])("%s: results, bytes and maps are equal on both engines", async (path) => {
    const spec = createVm().readSource(read(path), { name: path.split("/").at(-1) ?? "" });
    const client = new KernelClient();
    try {
      for (const prog of spec.progs) {
        const result = await comparePackets(client, spec, prog, packets);
        expect(result).toMatchObject({ packets: packets.length, differences: [] });
      }
    } finally {
      await client.close();
    }
  });
});
