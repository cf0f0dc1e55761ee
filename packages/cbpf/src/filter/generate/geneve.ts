import { CBPF } from "../../rows.ts";
import { both, type Condition, either, not, type Stmt, stmt, test } from "../ir.ts";
import { checkMax } from "./encapsulation.ts";
import { ETHER_TYPE } from "./link-type.ts";
import { always, equals, IP6_HEADER_BYTES, loadHeaderLength, loadVariablePart } from "./load.ts";
import { udpPortBehind } from "./port.ts";
import type { State } from "./state.ts";

const GENEVE_PORT = 6081;
const NETWORK_MAX = 0xff_ffff;
const NETWORK_MASK = 0xffff_ff00;
const NETWORK_SHIFT = 8;
const UDP_HEADER_BYTES = 8;
const VERSION_MASK = 0xc0;
const OPTIONS_MASK = 0x3f;
const OPTION_UNIT = 4;
const BASE_HEADER_BYTES = 8;
const TYPE_AT = 2;
const MAC_ADDRESSES_BYTES = 12;

/**
 * Asks for a Geneve tunnel and a network in it; what comes after looks at the packet inside. Where that starts is
 * known only when the filter runs, so its offsets are kept in scratch memory.
 *
 * @source RFC 8926 §3.4
 */
export function isGeneve(state: State, network: number | undefined): Condition {
  checkMax("Geneve VNI", network, NETWORK_MAX);
  const outer4 = behind4(state, network);
  const outer = either(outer4, behind6(state, network));
  const offsets = computeOffsets(state);
  const inner = always();
  inner.head.stmts = [...offsets, ...inner.head.stmts];
  state.isGeneve = true;
  return both(outer, inner);
}

/** Whether the packet inside has a link header at all. */
export function hasInnerLink(state: State): Condition {
  const stmts = [stmt(CBPF.ldMem, state.linkHeader.register), stmt(CBPF.ldxMem, state.payload.register)];
  return not(test(stmts, CBPF.branch("jeq", "x")));
}

function isTunnel(state: State, version: 4 | 6, network: number | undefined): Condition {
  const base = version === 4 ? "transport4" : "transport6";
  const port = udpPortBehind(state, version, GENEVE_PORT);
  const field = { base, at: UDP_HEADER_BYTES, bytes: 1, mask: VERSION_MASK } as const;
  const found = both(port, equals(state, field, 0));
  if (network === undefined) return found;
  const id = { base, at: UDP_HEADER_BYTES + 4, bytes: 4, mask: NETWORK_MASK } as const;
  return both(found, equals(state, id, network << NETWORK_SHIFT));
}

/** A condition that holds always, to run statements behind another; A equals X after them. */
const thenRun = (condition: Condition, stmts: Stmt[]): Condition =>
  both(condition, test(stmts, CBPF.branch("jeq", "x")));

/** Leaves in A where the IPv4 header ends, from where the link payload starts. */
function behind4(state: State, network: number | undefined): Condition {
  const tunnel = isTunnel(state, 4, network);
  return thenRun(tunnel, [...loadHeaderLength(state), stmt(CBPF.txa)]);
}

function behind6(state: State, network: number | undefined): Condition {
  const tunnel = isTunnel(state, 6, network);
  const before = loadVariablePart(state, state.payload);
  const length = stmt(CBPF.ldImm, IP6_HEADER_BYTES);
  const sum = before === undefined ? [length] : [...before, length, stmt(CBPF.alu("add", "x"))];
  return thenRun(tunnel, [...sum, stmt(CBPF.tax)]);
}

/** Stores where the inner type, link header and payload are; turns the state to the packet inside. */
function computeOffsets(state: State): Stmt[] {
  const { payload, network, registers } = state;
  const outer = payload.constant + network + UDP_HEADER_BYTES;
  const type = registers.allocate();
  state.linkType = { constant: 0, isVariable: true, register: type };
  const link = registers.allocate();
  state.linkHeader = { constant: 0, isVariable: true, register: link };
  state.link = "ethernet";
  const inner = registers.allocate();
  state.payload = { constant: 0, isVariable: true, register: inner };
  state.network = 0;
  // A jump inside the statements: the optimiser does not follow it.
  state.canOptimize = false;
  const isEthernet = stmt(CBPF.branch("jeq", "k"), ETHER_TYPE.transparentBridging);
  const skipHeader = stmt(CBPF.txa);
  const storePayload = stmt(CBPF.stx, inner);
  isEthernet.whenTrue = skipHeader;
  isEthernet.whenFalse = storePayload;
  return [
    stmt(CBPF.alu("add", "k"), outer),
    stmt(CBPF.tax),
    stmt(CBPF.alu("add", "k"), TYPE_AT),
    stmt(CBPF.st, type),
    stmt(CBPF.ldInd(1), 0),
    stmt(CBPF.alu("and", "k"), OPTIONS_MASK),
    stmt(CBPF.alu("mul", "k"), OPTION_UNIT),
    stmt(CBPF.alu("add", "k"), BASE_HEADER_BYTES),
    stmt(CBPF.alu("add", "x")),
    stmt(CBPF.st, link),
    stmt(CBPF.ldInd(2), TYPE_AT),
    stmt(CBPF.ldxMem, link),
    isEthernet,
    skipHeader,
    stmt(CBPF.alu("add", "k"), MAC_ADDRESSES_BYTES),
    stmt(CBPF.st, type),
    stmt(CBPF.alu("add", "k"), 2),
    stmt(CBPF.tax),
    storePayload,
  ];
}
