import { type ArgSpec, type HelperProto, progTypesOf, type RetSpec } from "@tsbpf/abi";

const COLUMNS = 100;

/** Breaks a list into indented lines that a terminal holds. */
function wrapWords(words: readonly string[]): string {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line.length + word.length >= COLUMNS) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? `  ${word}` : ` ${word}`;
  }
  return [...lines, line].join("\n");
}

const argFacts = (arg: ArgSpec): string =>
  [
    arg.kind,
    arg.access,
    arg.nullable === true ? "may be null" : undefined,
    arg.sizeBytes === undefined ? undefined : `${arg.sizeBytes} bytes`,
    arg.size === undefined ? undefined : `size in ${arg.size}`,
    arg.min === undefined ? undefined : `at least ${arg.min}`,
    arg.max === undefined ? undefined : `at most ${arg.max}`,
    arg.releases === true ? "releases the reference" : undefined,
  ]
    .filter((fact) => fact !== undefined)
    .join(", ");

const retFacts = ({ kind, nullable, min, max }: RetSpec): string =>
  `${kind}${nullable === true ? " or null" : ""}${min === undefined ? "" : `, ${min}..${max ?? ""}`}`;

/**
 * Prints the manual page of a helper or kernel function, made of what the verifier and the engines use.
 *
 * @param summary - what its plugin says it does; undefined when no plugin has it, so that it can be judged and not run.
 */
export function printHelperPage(proto: HelperProto, summary: string | undefined): string {
  const isCustom = proto.since === "custom";
  const what = proto.id === 0 ? "kernel function" : `helper ${proto.id}`;
  const types = isCustom ? (proto.progTypes ?? []) : progTypesOf(proto.id);
  const notes = [
    proto.isGplOnly ? "needs a GPL-compatible license" : undefined,
    proto.invalidatesPacket ? "packet pointers must be derived anew afterwards" : undefined,
    proto.maySleep ? "may sleep" : undefined,
    summary === undefined ? "is judged by the verifier, not run here" : undefined,
  ].filter((note) => note !== undefined);
  return [
    `${proto.name} (${what}, ${isCustom ? "of a plugin" : `since ${proto.since}`})`,
    ...(proto.signature === "" ? [] : [`  ${proto.signature}`]),
    ...(summary === undefined ? [] : ["", `  ${summary}`]),
    "",
    ...proto.args.map((arg, idx) => `  r${idx + 1}  ${arg.name}: ${argFacts(arg)}`),
    `  r0  ${retFacts(proto.ret)}`,
    ...(notes.length === 0 ? [] : ["", ...notes.map((note) => `  ${note}`)]),
    ...(types.length === 0 ? [] : ["", wrapWords(["for", ...types])]),
  ].join("\n");
}
