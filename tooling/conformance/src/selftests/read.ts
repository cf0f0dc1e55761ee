import { InputError } from "@tsbpf/base";
import { btfBlob } from "./btf-blob.ts";
import { type Selftest, toSelftest } from "./convert.ts";
import { Decls } from "./decls.ts";
import { type CItem, CReader, type CScope, type CValue } from "./expr.ts";
import { builtinMacros, type Macros, preprocess } from "./preprocess.ts";
import { installedReleases, openRelease, readText, type SelftestSource } from "./source.ts";
import type { Token } from "./tokens.ts";

/** Names of fill helpers become constants from here on, so that initialisers can hold them. */
const FILL_BASE = 1n << 40n;

interface Harness {
  readonly macros: Macros;
  readonly decls: Decls;
  /** BTF of the harness's map values, hex. */
  readonly btf: string;
  readonly fills: ReadonlyMap<bigint, string>;
}

class Scope implements CScope {
  private readonly decls: Decls;
  private readonly fills: ReadonlyMap<string, bigint>;

  constructor(decls: Decls, fills: ReadonlyMap<string, bigint>) {
    this.decls = decls;
    this.fills = fills;
  }

  constant(name: string): bigint | undefined {
    return this.decls.constant(name) ?? this.fills.get(name);
  }

  sizeOf(type: readonly Token[]): number | undefined {
    return this.decls.sizeOf(type);
  }

  offsetOf(
    struct: string,
    path: readonly (string | number)[],
  ): { readonly offset: number; readonly size: number } | undefined {
    return this.decls.offsetOf(struct, path);
  }
}

/** Reads the initialiser of the array `name` in a file; undefined when it has none. */
function initialiserOf(tokens: readonly Token[], name: string, scope: CScope): CValue | undefined {
  const at = tokens.findIndex((token, i) => token.text === name && tokens[i + 1]?.text === "[");
  if (at < 0) return undefined;
  const equals = tokens.findIndex((token, i) => i > at && token.text === "=");
  return new CReader(tokens, scope, equals + 1).value();
}

function harnessBtf(tokens: readonly Token[], decls: Decls): string {
  const types = initialiserOf(tokens, "btf_raw_types", decls);
  const strings = initialiserOf(tokens, "btf_str_sec", decls);
  if (types?.kind !== "list" || strings?.kind !== "string") {
    throw new InputError("CONFORMANCE_HARNESS", "the harness declares no BTF for its maps");
  }
  const words = types.items.map((item) => (item.value.kind === "int" ? Number(item.value.value) : 0));
  return btfBlob(words, strings.text, strings.text.length + 1);
}

function openHarness(headers: readonly string[]): Harness {
  const macros = builtinMacros();
  const decls = new Decls();
  let last: readonly Token[] = [];
  for (const path of headers) {
    last = preprocess(readText(path), macros);
    decls.add(last);
  }
  const names = new Set(
    last.filter((token) => token.text.startsWith("bpf_fill_")).map((token) => token.text),
  );
  const fills = new Map([...names].map((name, i) => [FILL_BASE + BigInt(i), name] as const));
  return { macros, decls, btf: harnessBtf(last, decls), fills };
}

/** Cuts `{ … }, { … },` at top level into one token run a test. */
function cutTests(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const tests: Token[][] = [];
  let depth = 0;
  let from = 0;
  tokens.forEach((token, i) => {
    if (token.kind !== "punct") return;
    if (token.text === "{") {
      if (depth === 0) from = i;
      depth += 1;
    } else if (token.text === "}") {
      depth -= 1;
      if (depth === 0) tests.push(tokens.slice(from, i + 1));
    }
  });
  return tests;
}

function readTest(file: string, tokens: readonly Token[], harness: Harness, scope: CScope): Selftest {
  let items: readonly CItem[];
  try {
    const value = new CReader(tokens, scope).value();
    items = value.kind === "list" ? value.items : [];
  } catch (thrown) {
    if (!(thrown instanceof InputError)) throw thrown;
    const name = tokens.find((token) => token.kind === "string")?.text ?? "";
    return { file, name, question: undefined, skipReason: thrown.message, expected: "accept" };
  }
  return toSelftest(file, items, harness.fills, harness.btf);
}

function readSource(source: SelftestSource, harness: Harness, wants: (file: string) => boolean): Selftest[] {
  const scope = new Scope(harness.decls, new Map([...harness.fills].map(([value, name]) => [name, value])));
  const tests: Selftest[] = [];
  for (const [file, path] of source.tests) {
    if (!wants(file)) continue;
    const tokens = preprocess(readText(path), new Map(harness.macros));
    for (const run of cutTests(tokens))
      tests.push(readTest(`${source.release}/${file}`, run, harness, scope));
  }
  return tests;
}

/**
 * Reads Linux's instruction-level verifier tests from the installed source packages.
 *
 * Every installed release is read; a test that an older one has with the same file, name and program is left out.
 * Maps are made as the newest harness makes them, because the running kernel reads their BTF by today's rules.
 *
 * @returns an empty list when no source package is installed.
 */
export function readSelftests(file?: string): readonly Selftest[] {
  const seen = new Set<string>();
  const tests: Selftest[] = [];
  let newest: Harness | undefined;
  for (const release of installedReleases()) {
    const source = openRelease(release);
    const own = openHarness(source.headers);
    newest ??= own;
    const harness = { ...own, btf: newest.btf };
    for (const test of readSource(source, harness, (name) => file === undefined || name === file)) {
      const bare = test.file.slice(release.length);
      const key = `${bare}\0${test.name}\0${test.question?.insns ?? ""}`;
      if (seen.has(key)) continue;
      seen.add(key);
      tests.push(test);
    }
  }
  return tests;
}
