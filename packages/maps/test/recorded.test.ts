import { readFileSync } from "node:fs";
import { type MapSpec, mapTypeName } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { checkMapSpec } from "../src/index.ts";
import { createHost, createSharedHost, runScript, type Script } from "./support.ts";

const read = <T>(name: string): T[] =>
  readFileSync(new URL(`./recorded/${name}.jsonl`, import.meta.url), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);

interface Created {
  readonly type: number;
  readonly key: number;
  readonly value: number;
  readonly max: number;
  readonly flags: number;
  readonly extra?: number;
  readonly name?: string;
  readonly numa?: number;
  readonly bk?: number;
  readonly inner?: Created;
  readonly errno: number;
}

const toSpec = (asked: Created): MapSpec => ({
  name: asked.name ?? "m",
  type: mapTypeName(asked.type)!,
  keyBytes: asked.key,
  valueBytes: asked.value,
  maxEntries: asked.max,
  flags: asked.flags,
  mapExtra: BigInt(asked.extra ?? 0),
  ...(asked.numa === undefined ? {} : { numaNode: asked.numa }),
  ...(asked.bk === undefined ? {} : { btfKeyTypeId: asked.bk }),
  ...(asked.inner === undefined ? {} : { inner: toSpec(asked.inner) }),
});

describe("creation as Linux 6.18 has it (M-1..M-10, M-130)", () => {
  const cases = read<Created>("create");
  for (const type of new Set(cases.map((one) => one.type))) {
    it(`${mapTypeName(type)}: ${cases.filter((one) => one.type === type).length} specifications`, () => {
      for (const asked of cases.filter((one) => one.type === type)) {
        const refusal = checkMapSpec(toSpec(asked));
        expect(refusal?.errno ?? 0, `${JSON.stringify(asked)}: ${refusal?.text}`).toBe(asked.errno);
      }
    });
  }
});

/** Types whose order of iteration is the kernel's: arrays and tries (M-30, M-84). */
const ORDERED: ReadonlySet<number> = new Set([2, 6, 11]);

describe("accesses as Linux 6.18 has them (M-20..M-24, M-40..M-92)", () => {
  for (const script of read<Script & { readonly linux: readonly unknown[] }>("access")) {
    it(`${script.name}: ${script.ops.length} steps`, () => {
      const order = (answer: unknown) =>
        Array.isArray(answer) && typeof answer[0] === "string" && !ORDERED.has(script.map.type)
          ? answer.toSorted()
          : answer;
      for (const host of [createHost(), createSharedHost()]) {
        const answers = runScript(script, host);
        for (const [i, step] of script.ops.entries()) {
          expect(order(answers[i]), `step ${i}: ${JSON.stringify(step)}`).toEqual(order(script.linux[i]));
        }
      }
    });
  }
});
