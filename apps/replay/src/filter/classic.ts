import { makeProgSpec, type ProgSpec } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { isCbpfText, parseCbpf, translateCbpf } from "@tsbpf/cbpf";
import type { ProgContext, ProgHost, ProgTypePlugin } from "@tsbpf/plugin";
import { sniffFormat } from "@tsbpf/trace";
import { type ProgSource, textOrBytes } from "@tsbpf/vm";

/** A program as it was read, and what it needs to run. */
export interface ReadProgram {
  readonly source: ProgSource;
  /** Whether it is classic BPF, translated to a `socket_filter`. */
  readonly isClassic: boolean;
}

/**
 * Reads what a program may come as: an object, raw instructions, assembly, or classic BPF in any form that
 * `parseCbpf` reads.
 *
 * @param name - for people, e.g. a file name.
 * @throws CBPF_… (InputError) for a classic program that Linux refuses, SOURCE_CAPTURE for a capture or trace: people
 * know programs that take theirs first.
 */
export function readProgram(bytes: Uint8Array, name: string): ReadProgram {
  const { kind } = sniffFormat(bytes);
  if (kind === "capture" || kind === "trace")
    throw new InputError(
      "SOURCE_CAPTURE",
      `${name} is a ${kind}, a program needed here; ${kind}s come behind it`,
    );
  const source = textOrBytes(bytes);
  if (typeof source !== "string" || !isCbpfText(source)) return { source, isClassic: false };
  return { source: classicSpec(source, name), isClassic: true };
}

const classicSpec = (text: string, name: string): ProgSpec =>
  makeProgSpec(translateCbpf(parseCbpf(text), { form: "skb" }), { name, type: "socket_filter" });

/** Program types whose socket filters see packets from the link header on, as those of packet sockets do. */
export const onLinkHeaders = (types: readonly ProgTypePlugin[]): ProgTypePlugin[] =>
  types.map((type) =>
    type.type === "socket_filter"
      ? { ...type, createContext: (host: ProgHost) => atLinkHeader(type.createContext(host)) }
      : type,
  );

function atLinkHeader(context: ProgContext): ProgContext {
  const load = context.load.bind(context);
  context.load = (input) => load({ startsAt: "link", ...input });
  return context;
}
