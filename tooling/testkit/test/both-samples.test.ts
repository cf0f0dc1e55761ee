import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createVm } from "@tsbpf/vm";
import { describe, expect, it } from "vitest";
import { bothEngines } from "../src/index.ts";

const SAMPLES = fileURLToPath(new URL("../../../samples/", import.meta.url));

const OBJECTS = readdirSync(SAMPLES, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".o"))
  .sort();

const ETHERTYPE = 12;

/** IPv4 packets whose other bytes are a pattern. */
const INPUTS = [64, 128, 300].map((length) => {
  const packet = Uint8Array.from({ length }, (_, i) => (7 * i + length) & 0xff);
  packet.set([0x08, 0x00, 0x45], ETHERTYPE);
  return { packet };
});

describe("sample programs on both engines", () => {
  it.each(OBJECTS)("%s, verified and not", (path) => {
    const source = new Uint8Array(readFileSync(join(SAMPLES, path)));
    const progs = createVm()
      .readSource(source)
      .progs.map(({ name }) => name);
    expect(progs.length).toBeGreaterThan(0);
    for (const prog of progs) {
      for (const verify of ["warn", "off"] as const) {
        const { interpreter, jit } = bothEngines({
          source,
          load: { prog, verify },
          inputs: INPUTS,
          isUnlimited: verify === "warn",
          vm: { memory: { initialBytes: 1 << 20 } },
        });
        expect(jit.runs, prog).toEqual(interpreter.runs);
        expect(jit.maps, prog).toEqual(interpreter.maps);
        expect(Buffer.compare(jit.memory, interpreter.memory), prog).toBe(0);
      }
    }
  });
});
