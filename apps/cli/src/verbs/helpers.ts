import { HELPER_PROTOS } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { kernelHelpers } from "@tsbpf/helpers";
import { printHelperPage } from "@tsbpf/plugin";
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
  const custom = [...plugins.helpers, ...(plugins.kfuncs ?? [])];
  const summaries = new Map([...kernelHelpers, ...custom].map((one) => [one.proto.name, one.summary]));
  const protos = [...Object.values(HELPER_PROTOS), ...custom.map((one) => one.proto)];
  if (name === undefined) {
    const rows = protos.map((one) => [
      one.id === 0 ? "kfunc" : `${one.id}`,
      one.name,
      summaries.has(one.name) ? "runs" : "judged only",
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
  process.stdout.write(`${printHelperPage(proto, summaries.get(proto.name))}\n`);
}
