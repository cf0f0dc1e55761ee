import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServices } from "@tsbpf/helpers";
import { createCaptureParser, walkCapture } from "@tsbpf/trace";
import { describe, expect, it } from "vitest";
import { createVm, type EngineName, type LiveObject } from "../src/index.ts";

/** What Linux did with a program over the lab capture; samples/README.md says how it was recorded. */
interface Recorded {
  readonly object: string;
  readonly program: string;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly changed: number;
  readonly outputs: string;
  readonly maps: Readonly<Record<string, { readonly entries: number; readonly sha256: string }>>;
}

const samples = new URL("../../../samples/", import.meta.url);
const recorded = readFileSync(new URL("verdicts.jsonl", samples), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as Recorded);
const packets = [
  ...walkCapture(new Uint8Array(readFileSync(new URL("captures/lab.pcap", samples))), createCaptureParser()),
];

/** Linux keeps fifteen characters of a map's name. */
const KERNEL_NAME_CHARS = 15;
/** Release and configuration of the kernel that recorded; one program stores them. */
const RECORDED_ON = { kernelVersion: [6, 18, 44], kconfig: { CONFIG_BPF_SYSCALL: "y" } } as const;
const ENGINES: readonly EngineName[] = ["interpreter", "jit"];

function digestMap(object: LiveObject, kernelName: string) {
  const map = [...object.maps.values()].find(
    (one) => one.spec.name.slice(0, KERNEL_NAME_CHARS) === kernelName,
  );
  if (map === undefined) return undefined;
  const entries = [...map.entries()].map(([key, value]) =>
    Buffer.concat([key, value.subarray(0, map.spec.valueBytes)]),
  );
  entries.sort(Buffer.compare);
  return {
    entries: entries.length,
    sha256: createHash("sha256").update(Buffer.concat(entries)).digest("hex"),
  };
}

function replay(one: Recorded, engine: EngineName) {
  // While it recorded, nobody listened to perf events.
  const services = createServices({ perfReaders: "slots" });
  const vm = createVm({ isTestRun: true, recordEffects: false, services });
  const bytes = new Uint8Array(readFileSync(new URL(one.object, samples)));
  const object = vm.loadObject(bytes, {
    engine,
    name: one.object.split("/").at(-1) ?? "",
    elf: RECORDED_ON,
  });
  const prog = object.prog(one.program);
  const outputs = createHash("sha256");
  const verdicts: Record<string, number> = {};
  let changed = 0;
  for (const { data } of packets) {
    const result = prog.run({ packet: data });
    expect(result.trap).toBeUndefined();
    const head = Buffer.alloc(8);
    head.writeUInt32LE(result.retval, 0);
    head.writeUInt32LE(result.packet.length, 4);
    outputs.update(head).update(result.packet);
    verdicts[result.retval] = (verdicts[result.retval] ?? 0) + 1;
    if (Buffer.compare(result.packet, data) !== 0) changed += 1;
  }
  const maps = Object.fromEntries(Object.keys(one.maps).map((name) => [name, digestMap(object, name)]));
  return {
    object: one.object,
    program: one.program,
    verdicts,
    changed,
    outputs: outputs.digest("hex"),
    maps,
  };
}

describe.each(ENGINES)("the samples over the lab capture, as Linux runs them, on the %s", (engine) => {
  it.each(recorded.map((one) => [`${one.object} ${one.program}`, one] as const))("%s", (_name, one) => {
    expect(replay(one, engine)).toEqual(one);
  });
});

describe("nested tail calls", () => {
  it("are recorded in the order in which they are made, by both engines", () => {
    const object = new Uint8Array(readFileSync(new URL("tailcalls/tailcalls.bpf.o", samples)));
    const [expected, found] = ENGINES.map((engine) => {
      const prog = createVm().loadObject(object, { name: "tailcalls.bpf.o", engine }).prog("dispatch");
      return packets.map(({ data }) => prog.run({ packet: data }).effects);
    });
    expect(expected?.some((effects) => (effects?.length ?? 0) > 1)).toBe(true);
    expect(found).toEqual(expected);
  });
});
