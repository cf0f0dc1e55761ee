import { describe, expect, it } from "vitest";
import { isBpfAllowed, probeBpf, runKernelCases } from "../../../tooling/kernel/src/index.ts";
import { type CallScript, resultOf, runScript, toCase } from "./call-script.ts";
import { kfuncScripts } from "./kernel-kfunc-scripts.ts";
import { packetScripts } from "./kernel-scripts.ts";
import { textScripts } from "./kernel-text-scripts.ts";

const isKernelKnown = isBpfAllowed() && probeBpf().kernel.startsWith("6.18.");

async function expectSame(scripts: readonly CallScript[]): Promise<void> {
  const answers = await runKernelCases(scripts.map(toCase));
  for (const [idx, script] of scripts.entries()) {
    const answer = answers[idx]!;
    expect(answer.loaded, `${script.name}: ${answer.errline ?? answer.error}`).toBe(true);
    expect(runScript(script), script.name).toEqual(resultOf(script, answer));
  }
}

describe("call scripts", () => {
  it("run on our helpers alone as well", () => {
    const scripts = [...packetScripts(), ...textScripts(), ...kfuncScripts()];
    expect(scripts.length).toBeGreaterThan(1000);
    for (const script of scripts.filter((_, idx) => idx % 50 === 0)) expect(runScript(script).errno).toBe(0);
  });
});

describe.skipIf(!isKernelKnown)("the running kernel", () => {
  it("does the same to packets", () => expectSame(packetScripts()));
  it("has the same kernel functions", () => expectSame(kfuncScripts()));
  it("does the same to text, memory and maps", () => expectSame(textScripts()));
});
