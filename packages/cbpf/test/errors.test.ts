import { describe, expect, it } from "vitest";
import {
  compileFilter,
  FILTER_ERROR_CODES,
  FilterError,
  type FilterErrorCode,
  linkLayerNamed,
} from "../src/index.ts";
import { askTcpdump, hasTcpdump } from "./tcpdump.ts";

function errorOf(filter: string): FilterError {
  try {
    compileFilter(filter);
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
  throw new Error(`${filter} compiles`);
}

/** A filter for each code, and the words it ends with. */
const BY_CODE: Readonly<Record<FilterErrorCode, readonly (readonly [filter: string, message: string])[]>> = {
  FILTER_CHARACTER: [["tcp @", `can't parse filter expression: syntax error, "@" has no meaning`]],
  FILTER_SYNTAX: [
    ["foo bar", "can't parse filter expression: syntax error"],
    ["tcp port", "can't parse filter expression: syntax error"],
    ["(tcp", "can't parse filter expression: syntax error"],
    ["tcp)", "can't parse filter expression: syntax error"],
    ["ip proto tcp", "can't parse filter expression: syntax error"],
    ["tcp or", "can't parse filter expression: syntax error"],
    ["src proto 5", "can't parse filter expression: syntax error"],
    ["src and addr1 1.2.3.4", "can't parse filter expression: syntax error"],
    ["1 + 2", "can't parse filter expression: syntax error"],
    ["tcp or 443", "syntax error in filter expression"],
  ],
  FILTER_DEPTH: [
    [`${"(".repeat(600)}ip${")".repeat(600)}`, "501 levels inside each other found, 500 allowed"],
  ],
  FILTER_LENGTH: [["ip or ".repeat(20_000), "120000 characters found, 65536 allowed"]],
  FILTER_TOO_COMPLEX: [
    [`len ${"+ (len ".repeat(20)}${")".repeat(20)} = 0`, "too many registers needed to evaluate expression"],
  ],
  FILTER_NUMBER: [
    ["len > 99999999999", "number 99999999999 overflows 32 bits"],
    ["len = 08", "number 08 contains non-octal digit"],
    ["len = 0x1ffffffff", "number 0x1ffffffff overflows 32 bits"],
  ],
  FILTER_ADDRESS: [
    ["host 256.1.1.1", "invalid IPv4 address '256.1.1.1'"],
    ["net 10.0.0.1/8", `non-network bits set in "10.0.0.1/8"`],
    ["net 10.1.0.0 mask 255.0.0.0", `non-network bits set in "10.1.0.0 mask 255.0.0.0"`],
    ["net ::1/64", `non-network bits set in "::1/64"`],
    ["ether host aa:bb:cc:dd", "bogus ethernet address aa:bb:cc:"],
  ],
  FILTER_QUALIFIER: [
    ["tcp host 1.2.3.4", "'tcp' modifier applied to host"],
    ["udp net 10.0.0.0/8", "'udp' modifier applied to net"],
    ["tcp host ::1", "'tcp' modifier applied to ip6 host"],
    ["ip6 host 1.2.3.4", "'ip6' modifier applied to ip host"],
    ["ip host ::1", "'ip' modifier applied to ip6 host"],
    ["link net 10.0.0.0/8", "link-layer modifier applied to net"],
    ["atalk host 1.2.3.4", "AppleTalk host filtering not implemented"],
    ["host aa:bb:cc:dd:ee:ff", "ethernet address used in non-ether expression"],
    ["ether host 1.2.3.4", "illegal link layer address"],
    ["port 1.2.3.4", "'port' modifier applied to ip host"],
    ["host 10.0.0.0/8", "Mask syntax for networks only"],
    ["icmp port 80", "illegal qualifier of 'port'"],
    ["arp proto 5", "arp does not encapsulate another protocol"],
    ["tcp proto 5", "'tcp proto' is bogus"],
    ["arp protochain 5", "bad protocol applied for 'protochain'"],
    ["gateway foo", "'gateway' not supported in this configuration"],
    ["gateway 1.2.3.4", "'gateway' requires a name"],
    ["vlan and mpls and vlan", "no VLAN match after MPLS"],
    ["mpls and arp", "unsupported protocol over mpls"],
    ["pppoes and vlan", "no VLAN support for PPP"],
    ["lane", "'lane' supported only on raw ATM"],
    ["vpi 3", "'vpi' supported only on raw ATM"],
    ["vci (3 or 4)", "'vci' supported only on raw ATM"],
    ["fisu", "'fisu' supported only on MTP2"],
    ["hopc > 3", "'opc' supported only on SS7"],
    ["on eth0", "ifname supported only on PF linktype"],
    ["rulenum 3", "rnr supported only on PF linktype"],
    ["type data", "802.11 link-layer types supported only on 802.11"],
    ["wlan dir tods", "frame direction supported only with 802.11 headers"],
    ["tcp broadcast", "only link-layer/IP broadcast filters supported"],
    [
      "wlan addr1 aa:bb:cc:dd:ee:ff",
      "'addr1' and 'address1' are only supported on 802.11 with 802.11 headers",
    ],
    ["wlan ra host 1:2:3:4:5:6", "'ra' is only supported on 802.11 with 802.11 headers"],
    ["radio[0] = 1", "radio information not present in capture"],
    ["l1[0] = 1", "unsupported index operation"],
    ["link", "link layer applied in wrong context"],
    ["radio", "'radio' is not a valid protocol type"],
    ["geneve and protochain 6", "'protochain' not supported with variable length headers"],
  ],
  FILTER_UNKNOWN_NAME: [
    ["ip proto \\foo", "unknown ip proto 'foo'"],
    ["ether proto \\foo", "unknown ether proto 'foo'"],
    ["iso proto \\foo", "unknown osi proto 'foo'"],
    ["tcp proto \\foo", "unknown protocol: foo"],
    ["llc foo", `unknown LLC type name "foo"`],
    ["decnet host foo", "decnet name support not included, 'foo' cannot be translated"],
  ],
  FILTER_RANGE: [
    ["port 99999", "illegal port number 99999 > 65535"],
    ["portrange 80-99999", "illegal port number 99999 > 65535"],
    ["vlan 5000", "VLAN tag 5000 greater than maximum 4095"],
    ["mpls 9999999", "MPLS label 9999999 greater than maximum 1048575"],
    ["pppoes 70000", "PPPoE session number 70000 greater than maximum 65535"],
    ["geneve 99999999", "Geneve VNI 99999999 greater than maximum 16777215"],
    ["net 10.0.0.0/33", "mask length must be <= 32"],
    ["net ::1/129", "mask length must be <= 128"],
  ],
  FILTER_ARITHMETIC: [
    ["1/0 = 1", "division by zero"],
    ["len % 0 = 1", "modulus by zero"],
    ["len << 32 = 1", "shift by more than 31 bits"],
    ["len << (16*2) = 1", "shift by more than 31 bits"],
    ["ether[0:3] = 1", "data size must be 1, 2, or 4"],
  ],
  FILTER_REJECTS_ALL: [["1 = 2", "expression rejects all packets"]],
};

/** Filters that are refused where tcpdump has no limit. */
const OWN_LIMITS: ReadonlySet<FilterErrorCode> = new Set(["FILTER_DEPTH", "FILTER_LENGTH"]);

const CASES = FILTER_ERROR_CODES.flatMap((code) =>
  BY_CODE[code].map(([filter, message]) => ({ code, filter, message })),
);

describe("filter errors", () => {
  it.each(CASES)("$code: $message", ({ code, filter, message }) => {
    const error = errorOf(filter);
    expect(error.message).toBe(message);
    expect(error.code).toBe(code);
  });

  it.skipIf(!hasTcpdump()).each(CASES.filter(({ code }) => !OWN_LIMITS.has(code)))(
    "are tcpdump's words: $message",
    ({ filter, message }) => {
      const { isOk, text } = askTcpdump(filter);
      expect(isOk).toBe(false);
      expect(message.startsWith(text)).toBe(true);
    },
  );

  it("say that names are not looked up", () => {
    const hint = "names are not looked up here, use a number";
    expect(errorOf("host foo").message).toBe(`unknown host 'foo', ${hint}`);
    expect(errorOf("port http").message).toBe(`unknown port 'http', ${hint}`);
    expect(errorOf("net foo").message).toBe(`unknown network 'foo', ${hint}`);
    expect(errorOf("portrange a-b").message).toBe(`unknown port in range 'a-b', ${hint}`);
    expect(errorOf("ether host foo").message).toBe(`unknown ether host 'foo', ${hint}`);
  });

  it("show where, with a caret", () => {
    expect(errorOf("tcp port 80 and foo bar").format()).toBe(
      [
        "error: can't parse filter expression: syntax error [FILTER_SYNTAX]",
        "  tcp port 80 and foo bar",
        "                      ^~~",
      ].join("\n"),
    );
    expect(errorOf("udp or tcp host 1.2.3.4 or ip").format()).toBe(
      [
        "error: 'tcp' modifier applied to host [FILTER_QUALIFIER]",
        "  udp or tcp host 1.2.3.4 or ip",
        "         ^~~~~~~~~~~~~~~~",
      ].join("\n"),
    );
    expect(errorOf("ip and").format().split("\n").at(-1)).toBe("        ^");
  });

  it("clip long filters around the place", () => {
    const long = `${"ip or ".repeat(100)}port 99999${" or ip".repeat(100)}`;
    const [, text = "", caret = ""] = errorOf(long).format().split("\n");
    expect(text.length).toBeLessThan(150);
    expect(text.slice(caret.indexOf("^"), caret.length)).toBe("port 99999");
  });

  it("clip long places, too", () => {
    const long = errorOf(`${"ip or ".repeat(20_000)}`)
      .format()
      .split("\n");
    expect(long.map((line) => line.length > 400)).toEqual([false, false, false]);
    const none = errorOf(`1 = 2 and ${"ip and ".repeat(5000)} ip`);
    expect(none.format().length).toBeLessThan(800);
    expect(none.place).toEqual({ start: 0, end: none.text.length });
  });

  it("name the link layers there are", () => {
    expect(() => linkLayerNamed("IEEE802_11")).toThrow(/link type "IEEE802_11" found, filters know EN10MB, /);
    expect(linkLayerNamed("dlt_en10mb").name).toBe("EN10MB");
  });
});

describe("names", () => {
  const names = {
    host: (name: string) => ({ two: ["1.2.3.4", "::1"], four: ["1.2.3.4"] })[name],
    net: (name: string) => (name === "ten" ? 10 : undefined),
    port: (name: string) =>
      ({
        http: { port: 80, protocol: 6 },
        domain: { port: 53, protocol: undefined },
        ntp: { port: 123, protocol: 17 },
      })[name],
    protocol: (name: string) => (name === "mine" ? 200 : undefined),
    ether: (name: string) => (name === "box" ? "1:2:3:4:5:6" : undefined),
  };
  const same = (named: string, numbered: string): void =>
    expect(compileFilter(named, { names })).toEqual(compileFilter(numbered));

  it("stand for what the resolver says", () => {
    same("port http", "tcp port 80");
    same("port domain", "port 53");
    same("tcp port domain", "tcp port 53");
    same("portrange http-90", "portrange 80-90");
    same("host four", "host 1.2.3.4");
    same("host two", "host 1.2.3.4 or host ::1");
    same("ip host two", "ip host 1.2.3.4");
    same("ip6 host two", "ip6 host ::1");
    same("net ten", "net 10");
    same("ip proto \\mine", "ip proto 200");
    same("ether src host box", "ether src 1:2:3:4:5:6");
  });

  it("must be of the protocol asked for", () => {
    expect(() => compileFilter("udp port http", { names })).toThrow("port 'http' is tcp");
    expect(() => compileFilter("tcp port ntp", { names })).toThrow("port 'ntp' is udp");
    expect(() => compileFilter("ip6 host four", { names })).toThrow(
      "unknown host 'four' for specified address family",
    );
    expect(() => compileFilter("host nobody", { names })).toThrow(/^unknown host 'nobody'$/);
  });
});
