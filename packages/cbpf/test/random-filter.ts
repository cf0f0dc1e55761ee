/** Random filter expressions: mostly sound ones, some that tcpdump refuses. */

export interface Random {
  /** A whole number from 0 to below `end`. */
  below(end: number): number;
}

/** A small generator of its own, so that a seed gives the same expressions everywhere. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(end) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) % end;
    },
  };
}

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)] as T;
const chance = (random: Random, percent: number): boolean => random.below(100) < percent;

const HOSTS = ["10.0.0.1", "192.168.1.7", "1.2.3.4", "10.1", "255.255.255.255", "0.0.0.0", "10.0.2.15"];
const HOSTS6 = ["::1", "fe80::1", "2001:db8::1:2", "ff02::1", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8"];
const NETS = ["10.0.0.0/8", "192.168.0.0/16", "10", "192.168", "172.16.0.0/12", "0.0.0.0/0", "1.2.3.4/32"];
const NETS6 = ["fe80::/10", "2001:db8::/32", "ff00::/8", "::/0", "2001:db8:1:2::/64", "fe80::/96"];
const PORTS = ["80", "443", "53", "22", "0", "65535", "8080", "6081"];
const RANGES = ["80-90", "1-1024", "90-80", "6000-6000", "0-65535"];
const MACS = ["aa:bb:cc:dd:ee:ff", "1:2:3:4:5:6", "ff:ff:ff:ff:ff:ff", "001122334455", "00-11-22-33-44-55"];
const DIRECTIONS = ["", "src ", "dst ", "src or dst ", "src and dst ", "dst or src "];
const ALONE = [
  ..."ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp decnet lat".split(
    " ",
  ),
  ..."sca moprc mopdl iso esis isis l1 l2 iih lsp snp csnp psnp clnp stp ipx netbeui".split(" "),
];
const COMMON = ["ip", "ip6", "tcp", "udp", "icmp", "arp", "icmp6", "sctp"];
const INDEXED = ["ether", "ip", "ip6", "tcp", "udp", "icmp", "arp", "icmp6", "igmp", "rarp", "sctp"];
const RELATIONS = ["=", "!=", ">", ">=", "<", "<=", "=="];
const OPERATORS = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"];
const NAMED = ["tcpflags", "tcp-syn", "tcp-ack", "icmptype", "icmp-echo", "icmp6type", "tcp-fin", "icmpcode"];
const NUMBERS = [
  "0",
  "1",
  "2",
  "4",
  "8",
  "12",
  "13",
  "20",
  "0x0f",
  "0xff",
  "0xffff",
  "100",
  "1500",
  "017",
  "31",
];
const PROTOCOL_NAMES = ["\\tcp", "\\udp", "\\icmp", "6", "17", "1", "89", "\\esp", "300"];

function arithmetic(random: Random, depth: number): string {
  const kind = random.below(depth > 0 ? 10 : 5);
  if (kind < 2) return pick(random, NUMBERS);
  if (kind === 2) return pick(random, NAMED);
  if (kind === 3) return "len";
  if (kind < 6) {
    const size = pick(random, ["", ":1", ":2", ":4"]);
    const index = depth > 0 ? arithmetic(random, depth - 1) : pick(random, NUMBERS);
    return `${pick(random, INDEXED)}[${index}${size}]`;
  }
  if (kind === 6) return `(${arithmetic(random, depth - 1)})`;
  if (kind === 7 && chance(random, 30)) return `-${arithmetic(random, depth - 1)}`;
  return `${arithmetic(random, depth - 1)} ${pick(random, OPERATORS)} ${arithmetic(random, depth - 1)}`;
}

function qualified(random: Random): string {
  const direction = pick(random, DIRECTIONS);
  switch (random.below(9)) {
    case 0:
      return `${pick(random, ["", "", "ip ", "arp ", "rarp "])}${direction}host ${pick(random, HOSTS)}`;
    case 1:
      return `${pick(random, ["", "ip6 "])}${direction}host ${pick(random, HOSTS6)}`;
    case 2:
      return `${pick(random, ["", "ip ", "arp "])}${direction}net ${pick(random, NETS)}`;
    case 3:
      return `${pick(random, ["", "ip6 "])}${direction}net ${pick(random, NETS6)}`;
    case 4:
    case 5:
      return `${pick(random, ["", "tcp ", "udp ", "sctp "])}${direction}port ${pick(random, PORTS)}`;
    case 6:
      return `${pick(random, ["", "tcp ", "udp "])}${direction}portrange ${pick(random, RANGES)}`;
    case 7:
      return `ether ${direction}host ${pick(random, MACS)}`;
    default:
      return `${pick(random, ["ip", "ip6", "", "ether"])} proto ${pick(random, PROTOCOL_NAMES)}`;
  }
}

function special(random: Random): string {
  const number = (): string => (chance(random, 50) ? ` ${1 + random.below(4000)}` : "");
  switch (random.below(13)) {
    case 0:
      return `vlan${number()}`;
    case 1:
      return `mpls${number()}`;
    case 2:
      return `pppoes${number()}`;
    case 3:
      return "pppoed";
    case 4:
      return pick(random, ["broadcast", "ether broadcast", "ip broadcast"]);
    case 5:
      return pick(random, ["multicast", "ether multicast", "ip multicast", "ip6 multicast"]);
    case 6:
      return `${pick(random, ["less", "greater"])} ${pick(random, NUMBERS)}`;
    case 7:
      return `byte ${pick(random, NUMBERS)} ${pick(random, ["=", "<", ">", "&", "|"])} ${pick(random, NUMBERS)}`;
    case 8:
      return pick(random, [
        "llc",
        "llc i",
        "llc s",
        "llc u",
        "llc rr",
        "llc rnr",
        "llc xid",
        "llc ui",
        "llc frmr",
      ]);
    case 9:
      return pick(random, ["inbound", "outbound", "ifindex 3"]);
    case 10:
      return `${pick(random, ["ip ", "ip6 ", ""])}protochain ${pick(random, ["6", "17", "\\tcp", "51"])}`;
    case 11:
      return chance(random, 50) ? `geneve${number()}` : pick(random, ALONE);
    default:
      return pick(random, ALONE);
  }
}

function primitive(random: Random): string {
  const kind = random.below(20);
  if (kind < 8) return qualified(random);
  if (kind < 12) return pick(random, COMMON);
  if (kind < 14) return special(random);
  if (kind < 15) return pick(random, ALONE);
  const depth = random.below(3);
  return `${arithmetic(random, depth)} ${pick(random, RELATIONS)} ${arithmetic(random, random.below(2))}`;
}

/** An id that takes over the qualifier of what stands before it, which may not fit. */
const bareId = (random: Random): string => pick(random, [...PORTS, ...HOSTS, ...NETS, ...HOSTS6, "80-90"]);

/** Makes an expression of about `parts` primitives. */
export function randomFilter(random: Random, parts: number): string {
  if (parts <= 1) return chance(random, 15) ? `not ${primitive(random)}` : primitive(random);
  const left = 1 + random.below(parts - 1);
  const op = pick(random, [" and ", " or ", " && ", " || "]);
  const before = randomFilter(random, left);
  const after = chance(random, 12) ? bareId(random) : randomFilter(random, parts - left);
  const group = (text: string): string => (chance(random, 30) ? `(${text})` : text);
  return `${chance(random, 8) ? "not " : ""}${group(before)}${op}${group(after)}`;
}
