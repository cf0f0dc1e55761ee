import { CBPF } from "../../rows.ts";
import { fault } from "../errors.ts";
import { both, type Condition, either, type Stmt, stmt, test } from "../ir.ts";
import type { Protocol } from "../text/words.ts";
import { carries, ETHER_TYPE } from "./link-type.ts";
import { IP6_HEADER_BYTES } from "./load.ts";
import { IP_PROTOCOL } from "./protocol-numbers.ts";
import type { State } from "./state.ts";

const EXTENSION_UNIT = 8;
const AH_UNIT = 4;

const jeq = (k: number): Stmt => stmt(CBPF.branch("jeq", "k"), k);

/**
 * Asks whether a protocol stands somewhere in the chain of headers. The code walks the chain with jumps backwards,
 * which Linux refuses and only userland runs, and keeps two oddities of libpcap: an authentication header's length
 * is read at the wrong place, and taken as the next header's offset by itself.
 */
export function chainHolds(state: State, carrier: Protocol | "any", value: number): Condition {
  const scratch = state.registers.allocate();
  if (carrier === "any") {
    const in4 = chainHolds(state, "ip", value);
    return either(in4, chainHolds(state, "ip6", value));
  }
  if (carrier !== "ip" && carrier !== "ip6") {
    return fault("FILTER_QUALIFIER", "bad protocol applied for 'protochain'");
  }
  if (state.payload.isVariable) {
    return fault("FILTER_QUALIFIER", "'protochain' not supported with variable length headers");
  }
  state.canOptimize = false;
  const stmts = carrier === "ip" ? walk4(state, value, scratch) : walk6(state, value, scratch);
  state.registers.free(scratch);
  const link = carries(state, carrier === "ip" ? ETHER_TYPE.ip : ETHER_TYPE.ip6);
  return both(link, test(stmts, CBPF.branch("jeq", "k"), value));
}

/** Where the loop starts: behind the two statements that load the first header's protocol and length. */
const LOOP_START = 2;

/** A jump back to the start of the loop, to stand behind `stmts`. */
const again = (stmts: readonly Stmt[]): Stmt => stmt(CBPF.ja, LOOP_START - stmts.length - 1);

function walk4(state: State, value: number, scratch: number): Stmt[] {
  const at = state.payload.constant + state.network;
  const isFound = jeq(value);
  const isLast = jeq(IP_PROTOCOL.none);
  const skip = stmt(CBPF.alu("add", "k"));
  const stmts = [stmt(CBPF.ldAbs(1), at + 9), stmt(CBPF.ldxMsh, at), isFound, isLast, skip];
  isFound.whenFalse = isLast;
  isLast.whenFalse = skip;
  return finishChain(stmts, { at, scratch, ends: [isFound, isLast], toCheck: [] });
}

function walk6(state: State, value: number, scratch: number): Stmt[] {
  const at = state.payload.constant + state.network;
  const isFound = jeq(value);
  const isLast = jeq(IP_PROTOCOL.none);
  const isExtension = [
    jeq(IP_PROTOCOL.hopByHop),
    jeq(IP_PROTOCOL.destinationOptions),
    jeq(IP_PROTOCOL.routing),
    jeq(IP_PROTOCOL.fragment),
  ];
  const advance = stmt(CBPF.ldInd(1), at);
  const tests = [isFound, isLast, ...isExtension];
  tests.forEach((one, i) => {
    const next = tests[i + 1];
    if (next !== undefined) one.whenFalse = next;
  });
  for (const one of isExtension) one.whenTrue = advance;
  const stmts = [
    stmt(CBPF.ldAbs(1), at + 6),
    stmt(CBPF.ldxImm, IP6_HEADER_BYTES),
    ...tests,
    advance,
    stmt(CBPF.st, scratch),
    stmt(CBPF.ldInd(1), at + 1),
    stmt(CBPF.alu("add", "k"), 1),
    stmt(CBPF.alu("mul", "k"), EXTENSION_UNIT),
    stmt(CBPF.alu("add", "x")),
    stmt(CBPF.tax),
    stmt(CBPF.ldMem, scratch),
  ];
  stmts.push(again(stmts));
  return finishChain(stmts, { at, scratch, ends: [isFound, isLast], toCheck: isExtension.slice(-1) });
}

/** Appends the step over an authentication header, and the end of the loop. */
function finishChain(
  stmts: Stmt[],
  chain: {
    readonly at: number;
    readonly scratch: number;
    /** Tests that end the loop when they hold. */
    readonly ends: readonly Stmt[];
    /** Tests that lead here when they fail. */
    readonly toCheck: readonly Stmt[];
  },
): Stmt[] {
  const { at, scratch } = chain;
  const isAh = jeq(IP_PROTOCOL.ah);
  for (const one of chain.toCheck) one.whenFalse = isAh;
  const step = stmt(CBPF.txa);
  isAh.whenTrue = step;
  stmts.push(
    isAh,
    step,
    stmt(CBPF.ldInd(1), at),
    stmt(CBPF.st, scratch),
    stmt(CBPF.txa),
    stmt(CBPF.alu("add", "k"), 1),
    stmt(CBPF.tax),
    stmt(CBPF.ldInd(1), at),
    stmt(CBPF.alu("add", "k"), 2),
    stmt(CBPF.alu("mul", "k"), AH_UNIT),
    stmt(CBPF.tax),
    stmt(CBPF.ldMem, scratch),
  );
  stmts.push(again(stmts));
  const end = stmt(CBPF.alu("add", "k"));
  stmts.push(end);
  isAh.whenFalse = end;
  for (const one of chain.ends) one.whenTrue = end;
  return stmts;
}
