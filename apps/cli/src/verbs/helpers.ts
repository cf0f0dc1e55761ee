import { HELPER_PROTOS, type HelperProto, progTypesOf } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { kernelHelpers } from "@tsbpf/helpers";
import { loadPlugins, printTable } from "@tsbpf/replay";
import { printJson } from "./input.ts";
import { createNodeIo } from "./node-io.ts";

interface HelperWords {
  readonly plugin: string[];
  readonly json?: boolean;
}

/** Lists helpers, or prints the page of one: generated from what the verifier and the engines use. */
export async function runHelpers(name: string | undefined, options: HelperWords): Promise<void> {
  const plugins = await loadPlugins(options.plugin, createNodeIo());
  const all = [...kernelHelpers, ...plugins.helpers];
  const summaries = new Map(all.map((one) => [one.proto.id, one.summary]));
  const protos = [...Object.values(HELPER_PROTOS), ...plugins.helpers.map((one) => one.proto)];
  if (name === undefined) {
    const rows = protos.map((one) => [
      `${one.id}`,
      one.name,
      summaries.has(one.id) ? "runs" : "judged only",
      one.since,
    ]);
    if (options.json === true) return printJson(protos, false);
    process.stdout.write(
      `${printTable([{ title: "id", align: "right" }, { title: "name" }, { title: "here" }, { title: "since" }], rows)}\n`,
    );
    return;
  }
  const proto = protos.find((one) => one.name === name || one.name === `bpf_${name}`);
  if (proto === undefined)
    throw new InputError("HELPER_UNKNOWN", `no helper ${name}; tsbpf helpers lists them`);
  if (options.json === true) return printJson(proto, true);
  process.stdout.write(printPage(proto, summaries.get(proto.id)));
}

function printPage(proto: HelperProto, summary: string | undefined): string {
  const args = proto.args.map((one, idx) => {
    const facts = [
      one.kind,
      one.access,
      one.nullable === true ? "may be null" : undefined,
      one.sizeBytes === undefined ? undefined : `${one.sizeBytes} bytes`,
      one.size === undefined ? undefined : `size in ${one.size}`,
      one.min === undefined ? undefined : `at least ${one.min}`,
      one.max === undefined ? undefined : `at most ${one.max}`,
      one.releases === true ? "releases the reference" : undefined,
    ];
    return `  r${idx + 1}  ${one.name}: ${facts.filter((fact) => fact !== undefined).join(", ")}`;
  });
  const notes = [
    proto.isGplOnly ? "needs a GPL-compatible license" : undefined,
    proto.invalidatesPacket ? "packet pointers must be derived anew afterwards" : undefined,
    proto.maySleep ? "may sleep" : undefined,
    summary === undefined
      ? "has no implementation here: programs that call it can be verified, not run"
      : undefined,
  ];
  return [
    `${proto.name} (helper ${proto.id}, since ${proto.since})`,
    `  ${proto.signature}`,
    ...(summary === undefined ? [] : ["", `  ${summary}`]),
    "",
    ...args,
    `  r0  ${proto.ret.kind}${proto.ret.nullable === true ? " or null" : ""}`,
    "",
    ...notes.filter((note) => note !== undefined).map((note) => `  ${note}`),
    `  program types: ${(proto.progTypes ?? progTypesOf(proto.id)).join(", ")}`,
    "",
  ].join("\n");
}
