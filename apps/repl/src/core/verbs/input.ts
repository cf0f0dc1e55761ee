import type { RunInput } from "@tsbpf/plugin";
import { decompressCapture, readCapture, sniffFormat } from "@tsbpf/trace";
import { parseExpr } from "../expr.ts";
import { fault } from "../fault.ts";
import { buildPacket } from "../packet-build.ts";
import { DEFAULT_PACKET, hexOf, setField, showFields } from "../packet-fields.ts";
import { isPacketText } from "../packet-text.ts";
import type { Session } from "../session.ts";
import { dumpBytes, printScalar } from "../values.ts";
import type { Verb } from "../verb.ts";

const PACKET_BYTES_MAX = 65_535;

/** Reads packet N, from 1, of a capture: `FILE#N`; or a file of raw bytes. */
export async function readPacket(session: Session, text: string): Promise<Uint8Array> {
  const found = /^(.+)(?:#| +)(\d+)$/.exec(text);
  const [path, wanted] = [found?.[1] ?? text, Number(found?.[2] ?? 1)];
  const bytes = await session.host.readFile(path);
  if (found === null) {
    if (sniffFormat(bytes).kind === "unknown") return bytes;
    session.say(`packet 1 of the capture; ${path}#N takes another`);
  }
  const reader = readCapture(decompressCapture([bytes]));
  let seen = 0;
  for await (const packet of reader) {
    seen++;
    if (seen === wanted) return packet.data.slice();
  }
  throw fault("REPL_PACKET", `${path} has ${seen} packets, number ${wanted} found`);
}

/** Takes another input and starts the run again with it. */
function setInput(session: Session, input: RunInput) {
  const before = session.input;
  session.input = input;
  try {
    session.restart();
  } catch (error) {
    session.input = before;
    session.restart();
    throw error;
  }
}

function setPacket(session: Session, packet: Uint8Array) {
  if (packet.length > PACKET_BYTES_MAX)
    throw fault("REPL_PACKET", `packet of ${packet.length} bytes, ${PACKET_BYTES_MAX} allowed`);
  setInput(session, { ...session.input, packet });
  session.say(
    `packet of ${packet.length} bytes${describe(session, packet)}; the program stands at its start`,
  );
}

function describe({ host }: Session, packet: Uint8Array): string {
  const text = host.describePacket?.(packet);
  return text === undefined || text === "" ? "" : `: ${text.trim()}`;
}

const currentPacket = (session: Session): Uint8Array => {
  const { packet } = session.context;
  if (packet === undefined) throw fault("REPL_PACKET", `programs of type ${session.progType} have no packet`);
  return packet.bytes();
};

async function packetVerb(session: Session, args: string): Promise<void> {
  if (args === "" || args === "show") {
    const packet = currentPacket(session);
    session.say(`packet of ${packet.length} bytes${describe(session, packet)}`);
    return session.say(showFields(packet));
  }
  if (args === "hexdump") return session.say(dumpBytes(currentPacket(session), 0));
  if (args === "default") return setPacket(session, DEFAULT_PACKET);
  const assignments = /^set\s+(.+)$/s.exec(args)?.[1];
  if (assignments !== undefined) {
    let packet = session.input.packet ?? DEFAULT_PACKET;
    for (const one of assignments.split(/[\s,]+(?=[\w.]+\s*=)/)) packet = setField(packet, one);
    return setPacket(session, packet);
  }
  if (isPacketText(args)) return setPacket(session, buildPacket(args));
  const hex = /^hex\s+(.+)$/s.exec(args)?.[1];
  const isHex = hex !== undefined || /^(?:0x)?(?:[0-9a-f]{2}[\s:]*){4,}$/i.test(args);
  setPacket(session, isHex ? hexOf(hex ?? args) : await readPacket(session, args));
}

function ctxVerb(session: Session, args: string) {
  const { ctx } = session.prog.linked.progType;
  const assigned = /^([\w.]+)\s*=\s*(.+)$/s.exec(args);
  if (assigned !== null) {
    const name = assigned[1] ?? "";
    if (!ctx.fields.some((field) => field.name === name)) {
      throw fault(
        "REPL_PACKET",
        `no field ${name}, one of these needed: ${ctx.fields.map((field) => field.name).join(", ")}`,
      );
    }
    const value = parseExpr(assigned[2] ?? "")(session.values());
    setInput(session, { ...session.input, fields: { ...session.input.fields, [name]: value } });
    return session.say(`${name} = ${printScalar(value)}; the program stands at its start`);
  }
  const { address } = session.context;
  const { view } = session.vm.memory;
  session.say(`${session.progType} context at 0x${address.toString(16)}`);
  for (const { name, offset, sizeBytes, count, holds } of ctx.fields) {
    if (args !== "" && name !== args) continue;
    const at = address + offset;
    const value =
      sizeBytes === 8
        ? view.getBigUint64(at, true)
        : BigInt(
            sizeBytes === 2
              ? view.getUint16(at, true)
              : sizeBytes === 1
                ? view.getUint8(at)
                : view.getUint32(at, true),
          );
    session.say(
      `  +${String(offset).padEnd(4)} ${name.padEnd(22)} ${printScalar(value)}${count > 1 ? `, … ${count} of them` : ""}${holds === "scalar" ? "" : `  (${holds})`}`,
    );
  }
}

export const INPUT_VERBS: readonly Verb[] = [
  {
    name: "pkt",
    aliases: ["packet"],
    group: "input",
    args: "FILE#N | HEX | LAYERS [FIELD=VALUE …] | show | hexdump | set FIELD=VALUE | default",
    summary: "take a packet of a capture, hex digits, build one, or change fields; the run starts again",
    examples: [
      ".pkt lab.pcap#3",
      ".pkt tcp dport=80 flags=syn",
      '.pkt vlan id=10/ip src=10.0.0.9/udp dport=53 payload="hi"',
      ".pkt icmp6 dst=2001:db8::9",
      ".pkt set udp.dport=53",
      ".pkt hexdump",
    ],
    completes: "file",
    isSaved: true,
    run: packetVerb,
  },
  {
    name: "ctx",
    group: "input",
    args: "[FIELD [= VALUE]]",
    summary: "show the context, or set a field of it; the run starts again",
    examples: [".ctx ingress_ifindex = 2"],
    isSaved: true,
    run: ctxVerb,
  },
];
