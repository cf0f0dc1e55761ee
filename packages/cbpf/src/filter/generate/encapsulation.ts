import { fault } from "../errors.ts";
import { any, both, type Condition } from "../ir.ts";
import { describeLink } from "./link.ts";
import { carries, ETHER_TYPE, PPP_MPLS } from "./link-type.ts";
import { equals } from "./load.ts";
import type { State } from "./state.ts";

const VLAN_MAX = 0xfff;
const LABEL_MAX = 0xf_ffff;
const SESSION_MAX = 0xffff;

const TAG_BYTES = 4;
const LABEL_BYTES = 4;
const LABEL_SHIFT = 12;
const LABEL_MASK = 0xffff_f000;
const PPPOE_HEADER_BYTES = 6;

export function checkMax(what: string, value: number | undefined, max: number): void {
  if (value !== undefined && value > max) {
    fault("FILTER_RANGE", `${what} ${value} greater than maximum ${max}`);
  }
}

/** Asks for a VLAN tag; what comes after looks behind it. */
export function hasVlan(state: State, tag: number | undefined): Condition {
  checkMax("VLAN tag", tag, VLAN_MAX);
  if (state.labels > 0) fault("FILTER_QUALIFIER", "no VLAN match after MPLS");
  if (state.link !== "ethernet") {
    fault("FILTER_QUALIFIER", `no VLAN support for ${describeLink(state)}`);
  }
  let found = any(
    carries(state, ETHER_TYPE.vlan),
    carries(state, ETHER_TYPE.providerVlan),
    carries(state, ETHER_TYPE.vlanInVlan),
  );
  if (tag !== undefined) {
    found = both(found, equals(state, { base: "payload", at: 0, bytes: 2, mask: VLAN_MAX }, tag));
  }
  state.payload.constant += TAG_BYTES;
  state.linkType.constant += TAG_BYTES;
  return found;
}

function isLabelled(state: State): Condition {
  if (state.labels > 0) return equals(state, { base: "label-before", at: 2, bytes: 1, mask: 1 }, 0);
  switch (state.link) {
    case "ethernet":
    case "c-hdlc":
      return carries(state, ETHER_TYPE.mpls);
    case "ppp":
      return carries(state, PPP_MPLS);
    default:
      return fault("FILTER_QUALIFIER", `no MPLS support for ${describeLink(state)}`);
  }
}

/** Asks for an MPLS label; what comes after looks behind it. */
export function hasLabel(state: State, label: number | undefined): Condition {
  checkMax("MPLS label", label, LABEL_MAX);
  let found = isLabelled(state);
  if (label !== undefined) {
    const field = { base: "payload", at: 0, bytes: 4, mask: LABEL_MASK } as const;
    found = both(found, equals(state, field, label << LABEL_SHIFT));
  }
  state.networkNoSnap += LABEL_BYTES;
  state.network += LABEL_BYTES;
  state.labels += 1;
  return found;
}

/** Asks for a PPPoE session; what comes after looks at the PPP packet in it. */
export function isSession(state: State, session: number | undefined): Condition {
  checkMax("PPPoE session number", session, SESSION_MAX);
  let found = carries(state, ETHER_TYPE.pppoes);
  if (session !== undefined) {
    const field = { base: "payload", at: 0, bytes: 4, mask: SESSION_MAX } as const;
    found = both(found, equals(state, field, session));
  }
  const { payload, network } = state;
  const start = payload.constant + network + PPPOE_HEADER_BYTES;
  state.link = "ppp";
  state.linkHeader = { ...payload, constant: start };
  state.linkType = { ...state.linkHeader };
  state.payload = { ...payload, constant: start + 2 };
  state.network = 0;
  state.networkNoSnap = 0;
  return found;
}
