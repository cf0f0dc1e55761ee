import type { FilterNames } from "@tsbpf/cbpf";

/** Texts of the files that name things, where a machine has them. */
export interface NameFiles {
  /** Form of `/etc/services`. */
  readonly services?: string | undefined;
  /** Form of `/etc/protocols`. */
  readonly protocols?: string | undefined;
  /** Form of `/etc/hosts`. */
  readonly hosts?: string | undefined;
  /** Form of `/etc/networks`. */
  readonly networks?: string | undefined;
  /** Form of `/etc/ethers`. */
  readonly ethers?: string | undefined;
}

/** Protocols whose services names of ports are looked up among. */
const PROTOCOLS = { tcp: 6, udp: 17 } as const;

/** Splits a file into the words of its lines; what follows `#` is left out. */
const linesOf = (text: string | undefined): string[][] =>
  (text ?? "").split("\n").flatMap((line) => {
    const words = line.replace(/#.*/, "").trim().split(/\s+/);
    return words[0] === "" ? [] : [words];
  });

/** Names with a value each; the first line that gives a name counts. */
function tableOf<T>(
  text: string | undefined,
  read: (words: readonly string[]) => { readonly names: readonly string[]; readonly value: T } | undefined,
): Map<string, T> {
  const table = new Map<string, T>();
  for (const words of linesOf(text)) {
    const entry = read(words);
    for (const name of entry?.names ?? []) {
      if (entry !== undefined && !table.has(name)) table.set(name, entry.value);
    }
  }
  return table;
}

const withoutSecond = (words: readonly string[]): string[] => words.filter((_, i) => i !== 1);

/** Ports by service name, for one protocol. */
const portsOf = (text: string | undefined, protocol: keyof typeof PROTOCOLS): Map<string, number> =>
  tableOf(text, (words) => {
    const [port, of] = (words[1] ?? "").split("/");
    return of === protocol ? { names: withoutSecond(words), value: Number(port) } : undefined;
  });

/** The number of a network: as many bytes as the text has parts. */
const networkNumber = (text: string): number =>
  text
    .replace(/(\.0)+$/, "")
    .split(".")
    .reduce((sum, part) => sum * 256 + Number(part), 0);

/** Looks names of filters up in a machine's files; no one outside is asked. */
export function namesFrom(files: NameFiles): FilterNames {
  const tcp = portsOf(files.services, "tcp");
  const udp = portsOf(files.services, "udp");
  const protocols = tableOf(files.protocols, (words) => ({
    names: withoutSecond(words),
    value: Number(words[1]),
  }));
  const networks = tableOf(files.networks, (words) => ({
    names: withoutSecond(words),
    value: networkNumber(words[1] ?? ""),
  }));
  const ethers = tableOf(files.ethers, (words) => ({ names: words.slice(1), value: words[0] ?? "" }));
  const hosts = new Map<string, string[]>();
  for (const [address = "", ...names] of linesOf(files.hosts)) {
    for (const name of names) hosts.set(name, [...(hosts.get(name) ?? []), address]);
  }
  return {
    port: (name) => portNamed(tcp.get(name), udp.get(name)),
    protocol: (name) => protocols.get(name),
    net: (name) => networks.get(name),
    ether: (name) => ethers.get(name),
    host: (name) => hosts.get(name),
  };
}

/** A service that TCP and UDP have at the same port belongs to neither. */
function portNamed(
  tcp: number | undefined,
  udp: number | undefined,
): { readonly port: number; readonly protocol: number | undefined } | undefined {
  if (tcp !== undefined) return { port: tcp, protocol: tcp === udp ? undefined : PROTOCOLS.tcp };
  return udp === undefined ? undefined : { port: udp, protocol: PROTOCOLS.udp };
}
