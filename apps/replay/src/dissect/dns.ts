import { printIp } from "./address.ts";
import { printableText, u8, u16 } from "./read.ts";

const TYPES: Readonly<Record<number, string>> = {
  1: "A",
  2: "NS",
  5: "CNAME",
  6: "SOA",
  12: "PTR",
  13: "HINFO",
  15: "MX",
  16: "TXT",
  17: "RP",
  24: "SIG",
  25: "KEY",
  28: "AAAA",
  29: "LOC",
  33: "SRV",
  35: "NAPTR",
  39: "DNAME",
  41: "OPT",
  43: "DS",
  44: "SSHFP",
  46: "RRSIG",
  47: "NSEC",
  48: "DNSKEY",
  50: "NSEC3",
  51: "NSEC3PARAM",
  52: "TLSA",
  250: "TSIG",
  251: "IXFR",
  252: "AXFR",
  255: "ANY",
  257: "CAA",
};
const OPERATIONS: readonly string[] = ["", " inv_q", " stat", " op3", " notify", " update"];
const RESULTS: readonly string[] = [
  "",
  " FormErr",
  " ServFail",
  " NXDomain",
  " NotImp",
  " Refused",
  " YXDomain",
  " YXRRSet",
  " NXRRSet",
  " NotAuth",
  " NotZone",
];
const HEADER_BYTES = 12;
const NAME_PARTS_MAX = 128;
const RECORDS_MAX = 100;
const POINTER = 0xc0;
const CLASS_IN = 1;

const typeName = (type: number): string => TYPES[type] ?? `Type${type}`;
const className = (klass: number): string => (klass === CLASS_IN ? "" : ` (Class ${klass})`);

/** A message and where reading stands in it. */
interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  isCut: boolean;
}

/** Reads a name and moves behind it; compressed parts are followed a bounded number of times. */
function readName(cursor: Cursor): string {
  const { bytes } = cursor;
  let { at } = cursor;
  let isMoved = false;
  let text = "";
  for (let parts = 0; parts < NAME_PARTS_MAX; parts++) {
    if (at >= bytes.length) {
      cursor.isCut = true;
      return `${text}[|domain]`;
    }
    const length = u8(bytes, at);
    if ((length & POINTER) === POINTER) {
      if (!isMoved) cursor.at = at + 2;
      isMoved = true;
      at = u16(bytes, at) & 0x3fff;
      continue;
    }
    at += 1;
    if (length === 0) {
      if (!isMoved) cursor.at = at;
      return text === "" ? "." : text;
    }
    if (at + length > bytes.length) {
      cursor.isCut = true;
      return `${text}[|domain]`;
    }
    text += `${printableText(bytes.subarray(at, at + length))}.`;
    at += length;
  }
  cursor.isCut = true;
  return `${text}<LOOP>`;
}

/**
 * Prints a message of the domain name system: id, flags, question or counts and answers, and its length.
 *
 * @source RFC 1035 §4
 */
export function printDns(bytes: Uint8Array, length: number): string {
  if (bytes.length < HEADER_BYTES) return "[|domain]";
  const flags = u16(bytes, 2);
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((at) => u16(bytes, at)) as [
    number,
    number,
    number,
    number,
  ];
  const operation = OPERATIONS[(flags >> 11) & 0xf] ?? ` op${(flags >> 11) & 0xf}`;
  const cursor: Cursor = { bytes, at: HEADER_BYTES, isCut: false };
  const isAnswer = (flags & 0x8000) !== 0;
  const head = `${u16(bytes, 0)}${operation}`;
  const has = (bit: number, text: string): string => ((flags & bit) !== 0 ? text : "");
  const text = isAnswer
    ? `${head}${RESULTS[flags & 0xf] ?? ` Resp${flags & 0xf}`}${has(0x400, "*")}${(flags & 0x80) === 0 ? "-" : ""}${has(0x200, "|")}${has(0x20, "$")}${questions === 1 ? "" : ` [${questions}q]`} ${answers}/${authorities}/${additional}${readAnswers(cursor, questions, answers)}`
    : `${head}${has(0x100, "+")}${has(0x10, "%")}${count(questions, "q", 1)}${count(answers, "a", 0)}${count(authorities, "n", 0)}${count(additional, "au", 0)}${readQuestions(cursor, questions)}`;
  return `${text} (${length})`;
}

const count = (value: number, name: string, usual: number): string =>
  value === usual ? "" : ` [${value}${name}]`;

function readQuestions(cursor: Cursor, count: number): string {
  let text = "";
  for (let i = 0; i < Math.min(count, RECORDS_MAX) && !cursor.isCut; i++) {
    const name = readName(cursor);
    const { bytes, at } = cursor;
    text += ` ${typeName(u16(bytes, at))}${className(u16(bytes, at + 2))}? ${name}`;
    cursor.at = at + 4;
  }
  return text;
}

function readAnswers(cursor: Cursor, questions: number, answers: number): string {
  for (let i = 0; i < Math.min(questions, RECORDS_MAX) && !cursor.isCut; i++) {
    readName(cursor);
    cursor.at += 4;
  }
  const texts: string[] = [];
  for (let i = 0; i < Math.min(answers, RECORDS_MAX) && !cursor.isCut; i++) texts.push(readRecord(cursor));
  return texts.length === 0 ? "" : ` ${texts.join(", ")}`;
}

function readRecord(cursor: Cursor): string {
  readName(cursor);
  const { bytes, at } = cursor;
  if (at + 10 > bytes.length) {
    cursor.isCut = true;
    return "[|domain]";
  }
  const type = u16(bytes, at);
  const dataBytes = u16(bytes, at + 8);
  const from = at + 10;
  const data = bytes.subarray(from, from + dataBytes);
  cursor.at = from + dataBytes;
  const name = `${typeName(type)}${className(u16(bytes, at + 2))}`;
  return `${name}${printData(typeName(type), data, { bytes, at: from, isCut: false })}`;
}

function printData(type: string, data: Uint8Array, inside: Cursor): string {
  switch (type) {
    case "A":
      return data.length === 4 ? ` ${printIp(data)}` : "";
    case "AAAA":
      return data.length === 16 ? ` ${printIp(data)}` : "";
    case "NS":
    case "CNAME":
    case "PTR":
    case "DNAME":
      return ` ${readName(inside)}`;
    case "MX": {
      const preference = u16(data, 0);
      inside.at += 2;
      return ` ${readName(inside)} ${preference}`;
    }
    case "SRV": {
      const [priority, weight, port] = [u16(data, 0), u16(data, 2), u16(data, 4)];
      inside.at += 6;
      return ` ${readName(inside)}:${port} ${priority} ${weight}`;
    }
    case "TXT":
      return readStrings(data);
    default:
      return "";
  }
}

function readStrings(data: Uint8Array): string {
  let text = "";
  for (let at = 0; at < data.length; ) {
    const length = u8(data, at);
    text += ` "${printableText(data.subarray(at + 1, at + 1 + length))}"`;
    at += 1 + length;
  }
  return text;
}
