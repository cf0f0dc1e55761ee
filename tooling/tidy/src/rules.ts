import { resolveRelative, type SourceFile } from "./sources.ts";

/** Who may import whom: the table of ARCHITECTURE.md. */
export const IMPORT_TABLE: Readonly<Record<string, readonly string[]>> = {
  base: [],
  isa: ["base"],
  asm: ["base", "isa"],
  btf: ["base"],
  abi: ["base", "isa"],
  memory: ["base"],
  trace: ["base"],
  cbpf: ["base", "isa"],
  loader: ["base", "isa", "btf", "abi"],
  verifier: ["base", "isa", "asm", "btf", "abi"],
  plugin: ["base", "abi", "memory"],
  maps: ["base", "abi", "memory", "plugin"],
  progs: ["base", "abi", "memory", "plugin"],
  helpers: ["base", "abi", "memory", "plugin", "maps"],
  runtime: ["base", "isa", "abi", "memory", "plugin"],
  interpreter: ["base", "isa", "abi", "memory", "plugin", "runtime"],
  jit: ["base", "isa", "abi", "memory", "plugin", "runtime"],
};

const FILE_LINES_MAX = 400;

export interface Finding {
  readonly rule: string;
  readonly path: string;
  readonly text: string;
}

const packageOf = (path: string): string | undefined => /^packages\/([^/]+)\/src\//.exec(path)?.[1];

/** Finds imports that the table does not allow. */
export function checkImportTable(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const owner = packageOf(file.path);
    const allowed = owner === undefined ? undefined : IMPORT_TABLE[owner];
    if (allowed === undefined) return [];
    return file.imports.flatMap(({ specifier }) => {
      const target = /^@tsbpf\/([^/]+)/.exec(specifier)?.[1];
      if (target === undefined || target === owner || allowed.includes(target)) return [];
      return [{ rule: "import-table", path: file.path, text: `${owner} may not import ${target}` }];
    });
  });
}

/** Finds packages that reach into another by a relative path. */
export function checkRelativeEscapes(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const home = /^((?:packages|apps)\/[^/]+)\/src\//.exec(file.path)?.[1];
    if (home === undefined) return [];
    return file.imports.flatMap(({ specifier }) => {
      const target = resolveRelative(file.path, specifier);
      if (target === undefined || target.startsWith(`${home}/`)) return [];
      return [{ rule: "relative-escape", path: file.path, text: `imports ${target}, outside its package` }];
    });
  });
}

/** Finds cycles among the files that load each other; types do not count. */
export function checkCycles(files: readonly SourceFile[]): Finding[] {
  const edges = new Map(
    files.map((file) => [
      file.path,
      file.imports
        .filter((one) => !one.isTypeOnly)
        .flatMap((one) => resolveRelative(file.path, one.specifier) ?? []),
    ]),
  );
  const state = new Map<string, "open" | "done">();
  const findings: Finding[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      const cycle = [...trail.slice(trail.indexOf(path)), path];
      findings.push({ rule: "cycle", path, text: cycle.join(" -> ") });
      return;
    }
    state.set(path, "open");
    for (const next of edges.get(path) ?? []) if (edges.has(next)) visit(next, [...trail, path]);
    state.set(path, "done");
  };
  for (const path of edges.keys()) visit(path, []);
  return findings;
}

/** Finds files that hold more than one idea can need. */
export function checkSizes(
  files: readonly SourceFile[],
  ratchet: Readonly<Record<string, number>>,
): Finding[] {
  return files.flatMap((file) => {
    if (/\.gen\.(ts|mjs)$/.test(file.path)) return [];
    const max = ratchet[file.path] ?? FILE_LINES_MAX;
    if (file.lineCount <= max) return [];
    return [{ rule: "file-size", path: file.path, text: `${file.lineCount} lines, ${max} allowed` }];
  });
}

const ENTRY =
  /(^|\/)(index|main|testing|([a-z-]+-)?worker)\.(ts|mjs)$|\.d\.ts$|\.config\.ts$|\.test(-d)?\.ts$|\/test\/|^tooling\/(scripts|build)\/|^tooling\/(bench|fuzz|conformance|kernel|testkit)\/src\/[^/]+\.ts$|^samples\/|^examples\//;

/** Finds sources that nothing imports. */
export function checkDeadFiles(files: readonly SourceFile[]): Finding[] {
  const used = new Set(
    files.flatMap((file) => file.imports.flatMap((one) => resolveRelative(file.path, one.specifier) ?? [])),
  );
  return files
    .filter((file) => !ENTRY.test(file.path) && !used.has(file.path))
    .map((file) => ({ rule: "dead-file", path: file.path, text: "nothing imports it" }));
}

/** Finds re-exports by star, default exports in packages, and words that belong to no source. */
export function checkForms(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const findings: Finding[] = [];
    const add = (rule: string, text: string) => findings.push({ rule, path: file.path, text });
    if (!/^(packages|apps)\/[^/]+\/src\//.test(file.path)) return findings;
    if (/^export \* /m.test(file.text)) add("barrel", "re-exports everything; list the names");
    // A pool of threads calls what a worker's file exports by default.
    const isWorker = /-worker\.(ts|mjs)$/.test(file.path);
    if (/^export default /m.test(file.text) && !isWorker) add("default-export", "exports a default");
    if (/\b(TODO(?!\(#\d+\))|FIXME|XXX)\b/.test(file.text))
      add("todo", "names unfinished work without an issue");
    return findings;
  });
}
