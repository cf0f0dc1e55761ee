import { errnoName, MAP_TYPES, type MapTypeName } from "@tsbpf/abi";
import { printHexBytes } from "@tsbpf/base";
import { type Btf, formatValue, parseBtf } from "@tsbpf/btf";
import type { BpfMap } from "@tsbpf/plugin";
import { parseExpr } from "../expr.ts";
import { fault } from "../fault.ts";
import { hexOf } from "../packet-fields.ts";
import type { Session } from "../session.ts";
import { didYouMean } from "../suggest.ts";
import type { Verb } from "../verb.ts";
import { firstWord } from "./args.ts";

const ENTRIES_SHOWN = 200;
const MAP_USAGE =
  ".map NAME [KEY | KEY = VALUE | delete KEY], .map create NAME TYPE KEYBYTES VALUEBYTES ENTRIES";

function listMaps(session: Session) {
  if (session.vm.maps.size === 0) return session.say("no maps; .load an object, or .map create one");
  for (const [name, map] of session.vm.maps) {
    const { type, keyBytes, valueBytes, maxEntries } = map.spec;
    session.say(
      `${name}  ${type}, key ${keyBytes}, value ${valueBytes}, max ${maxEntries}, at 0x${map.address.toString(16)}`,
    );
  }
}

function findMap(session: Session, name: string): BpfMap {
  const map = session.vm.maps.get(name);
  if (map === undefined) throw fault("REPL_MAP", `no map ${name}${didYouMean(name, session.vm.maps.keys())}`);
  return map;
}

const btfOf = ({ object }: Session): Btf | undefined =>
  object?.spec.btf === undefined ? undefined : parseBtf(object.spec.btf);

function printCompact(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(printCompact).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  return `{${Object.entries(value)
    .map(([name, one]) => `${name}: ${printCompact(one)}`)
    .join(", ")}}`;
}

function printBytes(btf: Btf | undefined, typeId: number | undefined, bytes: Uint8Array): string {
  if (btf === undefined || typeId === undefined || typeId === 0) return printHexBytes(bytes);
  return printCompact(formatValue(btf, typeId, bytes).json);
}

function printEntry(map: BpfMap, btf: Btf | undefined, key: Uint8Array, value: Uint8Array): string {
  const { btfKeyTypeId, btfValueTypeId, valueBytes, type, dataSection } = map.spec;
  const stride = Math.ceil(valueBytes / 8) * 8;
  const slots: string[] = [];
  if (type.includes("percpu")) {
    for (let at = 0; at + valueBytes <= value.length; at += stride) {
      slots.push(printBytes(btf, btfValueTypeId, value.subarray(at, at + valueBytes)));
    }
  } else slots.push(printBytes(btf, btfValueTypeId, value));
  const shown = slots.length === 1 ? slots[0] : slots.map((slot, cpu) => `cpu ${cpu}: ${slot}`).join(", ");
  return dataSection === undefined ? `  ${printBytes(btf, btfKeyTypeId, key)} => ${shown}` : `  ${shown}`;
}

function showMap(session: Session, map: BpfMap) {
  const btf = btfOf(session);
  const { name, type, maxEntries } = map.spec;
  const skipsZeros = type === "array" || type === "percpu_array";
  const lines: string[] = [];
  for (const [key, value] of map.entries()) {
    if (skipsZeros && maxEntries > 1 && value.every((byte) => byte === 0)) continue;
    if (lines.push(printEntry(map, btf, key, value)) > ENTRIES_SHOWN) {
      lines.push("  …");
      break;
    }
  }
  session.say(
    [
      `map ${name} (${type}), ${Math.min(lines.length, ENTRIES_SHOWN)} of ${maxEntries} entries`,
      ...lines,
    ].join("\n"),
  );
}

/** Reads bytes: `hex 01 02`, or a number of the wanted size. */
function bytesOf(text: string, sizeBytes: number, what: string, session: Session): Uint8Array {
  const hex = /^hex\s+(.+)$/.exec(text)?.[1];
  const isPairs = /^[0-9a-f]{2}(\s+[0-9a-f]{2})+$/i.test(text) && text.split(/\s+/).length === sizeBytes;
  if (hex !== undefined || isPairs) {
    const bytes = hexOf(hex ?? text);
    if (bytes.length !== sizeBytes)
      throw fault("REPL_MAP", `${bytes.length} bytes found, ${what} has ${sizeBytes}`);
    return bytes;
  }
  const value = parseExpr(text)(session.values());
  const bytes = new Uint8Array(sizeBytes);
  for (let i = 0; i < Math.min(8, sizeBytes); i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  if (
    sizeBytes < 8 &&
    BigInt.asUintN(64, BigInt.asIntN(sizeBytes * 8, value)) !== value &&
    value >> BigInt(sizeBytes * 8) !== 0n
  ) {
    throw fault("REPL_MAP", `${text} does not fit the ${sizeBytes} bytes of ${what}`);
  }
  return bytes;
}

function expectOk(status: number, map: BpfMap) {
  if (status < 0) throw fault("REPL_MAP", `map ${map.spec.name}: ${errnoName(-status)}`);
}

/** Words as `bpftool map` has them, in the order of this verb. */
function reorder(args: string, session: Session): string {
  const found = /^(dump|show|list|lookup|update|delete)\b\s*(?:name\s+)?(\S*)\s*(.*)$/s.exec(args);
  const [word = "", name = "", rest = ""] = found?.slice(1) ?? [];
  if (found === null || session.vm.maps.has(word)) return args;
  return `${name} ${word === "delete" ? "delete " : ""}${rest}`.trim();
}

function changeMap(session: Session, given: string) {
  const args = reorder(given, session);
  const [name, rest] = firstWord(args);
  if (name === "") return listMaps(session);
  if (name === "create") return createMap(session, rest);
  const map = findMap(session, name);
  if (rest === "") return showMap(session, map);
  const { keyBytes, valueBytes } = map.spec;
  const removed = /^(?:delete|del)\s+(?:key\s+)?(.+)$/s.exec(rest)?.[1];
  if (removed !== undefined) {
    const key = bytesOf(removed, keyBytes, "the key", session);
    session.debuggee.edit(() => expectOk(map.remove(key), map));
    return;
  }
  const assigned = /^(?:update\s+|\[)?(?:key\s+)?(.+?)\]?\s*(?:=|\bvalue\b)\s*(.+)$/s.exec(rest);
  if (assigned !== null) {
    const key = bytesOf(assigned[1] ?? "", keyBytes, "the key", session);
    const value = bytesOf(assigned[2] ?? "", valueBytes, "the value", session);
    const slots = map.spec.type.includes("percpu") ? session.vm.cpuCount : 1;
    const whole = slots === 1 && !map.spec.type.includes("percpu") ? value : spread(value, slots);
    session.debuggee.edit(() => expectOk(map.set(key, whole), map));
    return session.say(printEntry(map, btfOf(session), key, whole));
  }
  const wanted = rest.replace(/^(?:lookup\s+)?(?:key\s+)?\[?|\]$/g, "");
  const key = bytesOf(wanted, keyBytes, "the key", session);
  const value = map.get(key);
  if (typeof value === "number") return session.say(`  ${printHexBytes(key)} => ${errnoName(-value)}`);
  session.say(printEntry(map, btfOf(session), key, value));
}

/** Repeats a value in the slots of all CPUs. */
function spread(value: Uint8Array, slots: number): Uint8Array {
  const stride = Math.ceil(value.length / 8) * 8;
  const whole = new Uint8Array(stride * slots);
  for (let cpu = 0; cpu < slots; cpu++) whole.set(value, cpu * stride);
  return whole;
}

function createMap(session: Session, args: string) {
  const [name = "", type = "", ...sizes] = args.split(/\s+/);
  if (!/^[A-Za-z_.]\w*$/.test(name) || !(type in MAP_TYPES)) {
    throw fault("REPL_USAGE", `usage: ${MAP_USAGE}; types: ${Object.keys(MAP_TYPES).join(", ")}`);
  }
  if (session.vm.maps.has(name)) throw fault("REPL_MAP", `map ${name} exists already`);
  const [keyBytes, valueBytes, maxEntries] = sizes.map(Number);
  if (sizes.some((one) => !/^\d+$/.test(one))) throw fault("REPL_USAGE", `usage: ${MAP_USAGE}`);
  session.debuggee.revive();
  session.vm.createMap(name, {
    name,
    type: type as MapTypeName,
    keyBytes: keyBytes ?? 4,
    valueBytes: valueBytes ?? 8,
    maxEntries: maxEntries ?? 1,
    flags: 0,
  });
  session.ownMaps.add(name);
  // Going back further would take the map's memory away.
  session.debuggee.stepper.edit(() => {});
  session.debuggee.forgetHistory();
  session.say(`map ${name} (${type})`);
}

export const MAP_VERBS: readonly Verb[] = [
  { name: "maps", group: "look", summary: "list the maps", run: listMaps },
  {
    name: "map",
    group: "look",
    args: "NAME [KEY | KEY = VALUE | delete KEY] | create NAME TYPE KEYBYTES VALUEBYTES ENTRIES",
    summary: "show or change a map; keys and values as numbers or `hex 01 02 …`",
    examples: [
      ".map counts",
      ".map counts 3 = 7",
      ".map flows key hex 0a 00 00 01 value hex 01 00 00 00",
      ".map create m hash 4 8 16",
      ".map dump name counts",
    ],
    completes: "map",
    isSaved: true,
    run: changeMap,
  },
];
