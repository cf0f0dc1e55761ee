import { type FilterPlace, fault } from "../errors.ts";

const MAC_FORMS = [
  /[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}/y,
  /[0-9A-Fa-f]{1,2}(?:-[0-9A-Fa-f]{1,2}){5}/y,
  /[0-9A-Fa-f]{1,2}(?:\.[0-9A-Fa-f]{1,2}){5}/y,
  /[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}/y,
  /[0-9A-Fa-f]{12}/y,
] as const;

/** Length of the longest link-layer address at a place, 0 when there is none. */
export function matchMac(text: string, at: number): number {
  let longest = 0;
  for (const form of MAC_FORMS) {
    form.lastIndex = at;
    longest = Math.max(longest, form.exec(text)?.[0].length ?? 0);
  }
  return longest;
}

const MAC_BYTES = 6;
const NIBBLE_PAIR = /../g;

/** Reads the six bytes of a link-layer address in any of its forms. */
export function parseMac(text: string): readonly number[] {
  const groups = text.split(/[:\-.]/);
  const pairs = groups.length === MAC_BYTES ? groups : groups.join("").match(NIBBLE_PAIR);
  return (pairs ?? []).map((pair) => Number.parseInt(pair, 16));
}

/** Longest text of an IPv6 address: eight groups, or six and a dotted tail whose numbers may be hex. */
const IP6_CHARACTERS_MAX = 64;
const IP6_RUN = /[0-9A-Fa-f:.xX]+/y;
const GROUP = /^[0-9A-Fa-f]{1,4}$/;
const TAIL = /^(?:0[xX][0-9A-Fa-f]+|[0-9]+)(?:\.(?:0[xX][0-9A-Fa-f]+|[0-9]+)){3}$/;
const GROUPS = 8;

/** Length of the longest IPv6 address at a place, 0 when there is none. */
export function matchIp6(text: string, at: number): number {
  IP6_RUN.lastIndex = at;
  const run = (IP6_RUN.exec(text)?.[0] ?? "").slice(0, IP6_CHARACTERS_MAX);
  if (!run.includes(":")) return 0;
  for (let length = run.length; length > 1; length--) {
    if (isIp6Form(run.slice(0, length))) return length;
  }
  return 0;
}

/** Splits an address at its colons; a dotted tail counts as two groups. */
function splitIp6(text: string): { readonly before: string[]; readonly after: string[] | undefined } {
  const [before = "", after, ...more] = text.split("::");
  const groupsOf = (part: string): string[] => (part === "" ? [] : part.split(":"));
  if (more.length > 0) return { before: ["?"], after: undefined };
  return { before: groupsOf(before), after: after === undefined ? undefined : groupsOf(after) };
}

function isIp6Form(text: string): boolean {
  const { before, after } = splitIp6(text);
  const groups = [...before, ...(after ?? [])];
  const last = groups.at(-1);
  // A dotted tail may stand behind the colons only.
  const hasTail = last !== undefined && TAIL.test(last) && (after === undefined || after.length > 0);
  const plain = hasTail ? groups.slice(0, -1) : groups;
  if (!plain.every((group) => GROUP.test(group))) return false;
  const count = plain.length + (hasTail ? 2 : 0);
  return after === undefined ? count === GROUPS : count < GROUPS;
}

const IP4_PART = /^(?:0|[1-9]\d{0,2})$/;

/**
 * Reads an IPv6 address.
 *
 * @returns four words, the most significant first.
 */
export function parseIp6(text: string, place: FilterPlace): readonly number[] {
  const bogus = (): never => fault("FILTER_ADDRESS", `bogus IPv6 address ${text}`, place);
  const { before, after } = splitIp6(text);
  const wordsOf = (groups: readonly string[]): number[] =>
    groups.flatMap((group) => {
      if (!group.includes(".")) return [Number.parseInt(group, 16)];
      const parts = group.split(".");
      if (!parts.every((part) => IP4_PART.test(part) && Number(part) < 256)) return bogus();
      const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number);
      return [a * 256 + b, c * 256 + d];
    });
  const head = wordsOf(before);
  const tail = wordsOf(after ?? []);
  const zeros = new Array<number>(Math.max(0, GROUPS - head.length - tail.length)).fill(0);
  const halves = [...head, ...zeros, ...tail];
  if (halves.length !== GROUPS) return bogus();
  return [0, 2, 4, 6].map((i) => (halves[i] as number) * 65536 + (halves[i + 1] as number));
}
