import { pathToFileURL } from "node:url";
import { runRepl, tellLateErrors } from "@tsbpf/repl";
import { loadPlugins, printEffectLine, printPacketLine } from "@tsbpf/replay";
import { type ColourMode, coloursFor } from "../colour.ts";
import { EXIT } from "../exit.ts";
import { createNodeIo } from "./node-io.ts";

interface ReplWords {
  readonly packet?: string;
  readonly filter?: string;
  readonly plugin: string[];
  readonly type?: string;
  readonly execute: string[];
  readonly script: string[];
  readonly fuel?: number;
  readonly batch?: boolean;
  readonly keepGoing?: boolean;
  readonly shell?: boolean;
  readonly color: ColourMode;
}

const ETHERNET = 1;

/** Runs `tsbpf repl`. */
export async function runReplVerb(object: string | undefined, options: ReplWords): Promise<number> {
  const io = createNodeIo();
  // Without a terminal nothing reads Ctrl-C as a key; what was printed stays.
  process.on("SIGINT", () => process.exit(EXIT.interrupted));
  // At a terminal the prompt stands on the line.
  tellLateErrors((text) => void process.stderr.write(process.stdin.isTTY ? `\n${text}` : text));
  return runRepl({
    object,
    packet: options.packet,
    filter: options.filter,
    plugins: options.plugin,
    progType: options.type,
    fuel: options.fuel,
    commands: options.execute,
    scripts: options.script,
    isBatch: options.batch ?? false,
    keepGoing: options.keepGoing ?? false,
    allowsShell: options.shell ?? false,
    isColoured: coloursFor(process.stdout, options.color).isColorSupported,
    loadPlugins: (path) => loadPlugins([path], io),
    async importTypeScript(path) {
      const { tsImport } = await import("tsx/esm/api");
      return (await tsImport(pathToFileURL(path).href, import.meta.url)) as Record<string, unknown>;
    },
    describeEffect: printEffectLine,
    describePacket: (packet) => printPacketLine(packet, ETHERNET),
  });
}
