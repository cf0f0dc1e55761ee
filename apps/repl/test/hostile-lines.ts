import { MAP_TYPES, PROG_TYPES } from "../../../packages/abi/src/index.ts";
import { VERBS } from "../src/index.ts";
import { randomLines, randomOf } from "./random-lines.ts";

type Random = (below: number) => number;

const repeat = (text: string, count: number): string => text.repeat(count);

const NUMBERS = [
  "0",
  "1",
  "-1",
  "7",
  "63",
  "64",
  "255",
  "4096",
  "65536",
  "0x7fffffff",
  "0x80000000",
  "0xffffffff",
  "0x100000000",
  "9223372036854775807",
  "9223372036854775808",
  "18446744073709551615",
  "18446744073709551616",
  "1e9",
  "0b101",
  "0x",
  "1_000",
  "NaN",
  "Infinity",
  "-0",
  repeat("9", 400),
  `0x${repeat("f", 5000)}`,
];

const TEXTS = [
  "",
  "é",
  "漢字",
  "🙂",
  "\u202Eright to left",
  "e\u0301\u0301\u0301",
  "\ud800",
  "\udc00\ud800",
  "\0",
  "\u0007\u0008",
  "\u001b[31mred\u001b[0m",
  "\u001b]0;title\u0007",
  "\u0085\u2028\u2029",
  "\ufeff",
  "\t\t",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "%s%d%n",
  "$(exit)",
  "../../..",
  "a b",
  "'",
  '"',
  "`",
  "\\",
  "-",
  "--",
  "-d",
  "-s",
  "-v",
  "-o",
  "=",
  "==",
  "if",
  " if ",
  "off",
  "on",
  "hex",
  "show",
  "set",
];

const NESTED: readonly ((n: number) => string)[] = [
  (n) => repeat("(", n),
  (n) => `${repeat("(", n)}1${repeat(")", n)}`,
  (n) => repeat("[", n),
  (n) => repeat("-", n),
  (n) => repeat("!", n),
  (n) => `${repeat("*(u64 *)", n)}r10`,
  (n) => repeat("1+", n),
  (n) => `${repeat("1?", n)}`,
  (n) => `${repeat("not ", n)}ip`,
  (n) => `${repeat("tcp or ", n)}udp`,
  (n) => repeat("{", n),
  (n) => repeat("a:", n),
];

const FILES = [
  "",
  ".",
  "/",
  "//",
  "nope.o",
  "samples/calls/calls.bpf.o",
  "samples/calls/calls.bpf.o:loops",
  "samples/calls/calls.bpf.o:nope",
  "samples/tailcalls/tailcalls.bpf.o:dispatch",
  "samples/captures/lab.pcap#3",
  "samples/captures/lab.pcap#0",
  "samples/captures/lab.pcap#99999999999999999999",
  "samples/captures/lab.pcap",
  "samples/calls/calls.bpf.c",
  "samples/verdicts.jsonl",
  "README.md",
  "out.s",
  "out.bin",
  "out.dot",
  "out.txt",
  "#",
  ":",
  "a:b:c",
];

const PLACES = [
  "mix",
  "mix+3",
  "mix+99999",
  "mix-1",
  "loops",
  "calls",
  ":54",
  "calls.bpf.c:49",
  ":99999999",
  "ip4/0",
  "nope/1",
  "0",
  "9",
  "78",
  "*5",
  "r1",
  "pc",
  "fp",
  "ctx",
  "_",
  "@3",
  "-3",
];

const EXPRS = [
  "r0",
  "r10 - 8",
  "*(u8 *)pkt",
  "*(u64 *)0",
  "*r1",
  "pkt_end - pkt",
  "_ / 0",
  "1 << 64",
  "-1 s>> 70",
  "r11",
  "w3",
  "insns",
  "depth",
  "~0 % 0",
  "m",
  "calls.bss",
  "mix(1)",
  "1 +",
  "* * 5",
  "(u8 *)1",
];

const CODE = [
  "r0 = 1",
  "r1 = r10",
  "r2 = *(u64 *)(r1 + 0)",
  "*(u64 *)(r10 - 520) = r1",
  "exit",
  "call get_prandom_u32",
  "call map_lookup_elem",
  "call f",
  "goto +0",
  "goto -1",
  "goto x",
  "if r1 > 5 goto +1",
  "r0 /= 0",
  "r0 s%= 0",
  "r1 = 5 ll",
  "r1 = map[m]",
  "lock *(u64 *)(r10 - 8) += r1",
  "r0 = le16 r0",
  "may_goto +0",
  "gotol +0",
  "r0 = *(u8 *)skb[5]",
  "r1 = addr_space_cast(r1, 0, 1)",
  ".insn 0xff, 255, 255, 99999, 5",
  "f:",
  "x: r0 = 1",
  "}",
  "{",
  "{ r0 = 1; exit }",
  "callx r1",
  "r10 = 5",
  "tail: r0 = 0; exit",
];

const BODIES = [
  "() => 5",
  "() => -1n",
  "() => 2n ** 300n",
  "() => 1e30",
  "() => NaN",
  "() => undefined",
  "() => null",
  "() => 'x'",
  "() => Symbol('x')",
  "() => ({})",
  "() => Object.create(null)",
  "() => ({ toString() { throw 1 } })",
  "() => ({ then(f) { f(1) } })",
  "() => [1, 2]",
  "() => () => 1",
  "async () => 5",
  "async () => { throw new Error('late') }",
  "() => { throw new Error('two\\nlines') }",
  "() => { throw null }",
  "() => { throw Object.create(null) }",
  "() => { throw { get message() { throw 2 } } }",
  "function f() { return f() }",
  "(a, b, c, d, e, env) => env.map('m')",
  "(a, b, c, d, e, env) => { throw env }",
  "(...all) => all.length",
  "(a = 5, { b } = {}) => a",
  "class {}",
  "new Proxy(() => 1, { apply() { throw 3 } })",
  "5",
  "{}",
  "{ id: 70000, name: 'own', args: [arg.u64('x')], returns: ret.u64(), call: ({ x }) => x }",
  "{ id: 70001, name: 'odd', args: [null] }",
  "{ id: 70002, name: 'odd', args: [], returns: 5, call: () => 1 }",
  "{ id: 70003, name: 'odd', call: 5 }",
  "{ get id() { throw 1 }, name: 'odd' }",
  "{ id: 5, name: 'odd', call: () => 1 }",
  "{ id: 70004, name: '__proto__', call: () => 1n }",
  "{ proto: { id: 1 }, args: [] }",
  "new Proxy({}, { has() { throw 1 } })",
  "(() => { throw 5 })()",
  "(a: number) => a",
  "() =>",
  "((",
  "import('fs')",
];
/** Bodies that end only because they are stopped. */
const ENDLESS = [
  "() => { for (;;); }",
  "(() => { for (;;); })()",
  "() => { while (true) { try { for (;;); } finally { continue } } }",
];

const HELPER_NAMES = [
  "bpf_get_prandom_u32",
  "ktime_get_ns",
  "bpf_loop",
  "bpf_map_lookup_elem",
  "bpf_xdp_load_bytes",
  "own",
  "x",
  "__proto__",
  "constructor",
  "5",
  "a b",
  "",
];

const FILTERS = [
  "tcp",
  "udp port 53",
  "host 10.0.0.1",
  "net 10.0.0.0/8",
  "ip[9] == 6",
  "tcp[tcpflags] & tcp-syn != 0",
  "not",
  "and",
  "or",
  "(",
  ")",
  "vlan",
  "ether host 1:2:3:4:5:6",
  "less 5",
  "portrange 1-99999",
  "-y RAW",
  "-y NOPE",
  "{ ldh [12]",
  "ret #0 }",
  "1 0 0 0 6",
  "{ 0x28, 0, 0, 0xc },",
];

const PACKETS = [
  "tcp dport=80",
  "udp len=70000",
  "vlan id=5/ip6/icmp6",
  "eth/eth/eth",
  "ip src=300.1.1.1",
  "tcp flags=nope",
  "payload=0xzz",
  'udp payload="x"',
  "arp",
  "set tcp.dport=1",
  "set nope.x=1",
  "set ip.src=1",
  "hexdump",
  "show",
  "default",
  "hex 01 02",
  "00112233",
  "icmp type=999999",
];

const ARGUMENTS: Readonly<Record<string, (pick: Picker) => string>> = {
  load: (p) => p.of(FILES),
  source: (p) => p.of(FILES),
  save: (p) => p.of(FILES),
  export: (p) => p.of(FILES),
  plugin: (p) => p.of(FILES),
  pkt: (p) => (p.random(4) === 0 ? p.of(FILES) : `${p.of(PACKETS)} ${p.of(PACKETS)}`),
  filter: (p) => Array.from({ length: 1 + p.random(5) }, () => p.of(FILTERS)).join(" "),
  type: (p) => p.of([...Object.keys(PROG_TYPES), "nope"]),
  break: (p) => `${p.of(PLACES)}${p.condition()}`,
  tbreak: (p) => `${p.of(PLACES)}${p.condition()}`,
  watch: (p) => `${p.of(EXPRS)} ${p.of(NUMBERS)}${p.condition()}`,
  until: (p) => p.of(PLACES),
  list: (p) => p.of(PLACES),
  belief: (p) => p.of(PLACES),
  call: (p) => `${p.of(["", "-s "])}${p.of(PLACES)}(${p.of(EXPRS)}, ${p.of(NUMBERS)})`,
  set: (p) => `${p.of(EXPRS)} = ${p.of(EXPRS)}`,
  patch: (p) => `${p.of(PLACES)} ${p.of(CODE)}`,
  helper: (p) =>
    `${p.of(["-d ", "", "", ""])}${p.of(HELPER_NAMES)} = ${p.of(p.random(400) === 0 ? ENDLESS : BODIES)}`,
  map: (p) =>
    p.random(3) === 0
      ? `create ${p.of(["m", "n", "__proto__"])} ${p.of(Object.keys(MAP_TYPES))} ${p.of(NUMBERS)} ${p.of(NUMBERS)} ${p.of(NUMBERS)}`
      : `${p.of(["m", "n", "calls.bss", "protocols"])} ${p.of(["", "delete ", "key hex "])}${p.of(NUMBERS)} = ${p.of(NUMBERS)}`,
  ctx: (p) => `${p.of(["data", "ingress_ifindex", "mark", "nope"])} = ${p.of(NUMBERS)}`,
  diff: (p) => `${p.of(["a", "@1", "@99999999999", "-5", "@-1"])} ${p.of(["", "a", "@3"])}`,
  mark: (p) => p.of(["a", "b", "1x", "__proto__"]),
};

interface Picker {
  readonly random: Random;
  of(list: readonly string[]): string;
  condition(): string;
}

/** Lines for every verb, with arguments of its kind, of another's, or of none. */
export function hostileLines(seed: number, count: number): string[] {
  const random = randomOf(seed);
  const of = (list: readonly string[]): string => list[random(list.length)] ?? "";
  const p: Picker = {
    random,
    of,
    condition: () =>
      random(3) === 0 ? ` if ${of(EXPRS)} ${of(["==", "<", "s<", "&&"])} ${of(NUMBERS)}` : "",
  };
  const anything = (): string => {
    switch (random(9)) {
      case 0:
        return of(NUMBERS);
      case 1:
        return of(TEXTS);
      case 2:
        return NESTED[random(NESTED.length)]?.([3, 60, 700, 5000][random(4)] ?? 1) ?? "";
      case 3:
        return of(FILES);
      case 4:
        return of(PLACES);
      case 5:
        return of(EXPRS);
      case 6:
        return of(CODE);
      case 7:
        return of(BODIES);
      default:
        return "";
    }
  };
  const spellings = VERBS.flatMap(({ name, aliases = [], words = [] }) =>
    [...[name, ...aliases].map((one) => `.${one}`), ...words].map((typed) => [name, typed] as const),
  );
  const verbLine = (): string => {
    const [name, typed] = spellings[random(spellings.length)] ?? ["help", ".help"];
    const made = ARGUMENTS[name];
    const args = made !== undefined && random(3) > 0 ? made(p) : `${anything()} ${anything()}`;
    return `${typed}${of([" ", " ", "  ", "\t", ""])}${args}`;
  };
  const plain = randomLines(
    seed + 1,
    count,
    VERBS.map(({ name }) => name),
  );
  return plain.map((line) => {
    switch (random(12)) {
      case 0:
        return of(CODE);
      case 1:
        return `${of(CODE)}; ${of(CODE)}`;
      case 2:
        return anything();
      case 3:
        return random(50) === 0 ? repeat(anything() || "x", 200_000).slice(0, 1 << 20) : "";
      case 4:
        return line;
      case 5:
        return `${of(["p", "x/16xb", "x/4s", "x/99999999i", "p/x", "p/t"])} ${anything()}`;
      default:
        return verbLine();
    }
  });
}
