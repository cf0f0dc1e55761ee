import { FilterFault, fault } from "../errors.ts";
import { both, type Condition, either, not } from "../ir.ts";
import type { Expression } from "../text/tree.ts";
import { evaluate, valuesRelate } from "./arithmetic.ts";
import { hasLabel, hasVlan, isSession } from "./encapsulation.ts";
import { isGeneve } from "./geneve.ts";
import { idIs } from "./id.ts";
import { carries, ETHER_TYPE } from "./link-type.ts";
import { protocolIs } from "./protocol.ts";
import { byteIs, isBroadcast, isMulticast, lengthIs, llcIs, onInterface, wentOut } from "./special.ts";
import type { State } from "./state.ts";

/** Generates the condition that an expression asks for; faults learn the place that they stand at. */
export function generate(state: State, expression: Expression): Condition {
  if (expression.kind === "chain") {
    let found = generate(state, expression.first);
    for (const { op, of } of expression.rest) {
      const next = generate(state, of);
      found = op === "and" ? both(found, next) : either(found, next);
    }
    return found;
  }
  if (expression.kind === "not") return not(generate(state, expression.of));
  try {
    return generatePrimitive(state, expression);
  } catch (thrown) {
    if (!(thrown instanceof FilterFault) || thrown.place !== undefined) throw thrown;
    throw new FilterFault(thrown.code, thrown.message, { start: expression.start, end: expression.end });
  }
}

function generatePrimitive(
  state: State,
  expression: Exclude<Expression, { kind: "chain" | "not" }>,
): Condition {
  switch (expression.kind) {
    case "id":
      return idIs(state, expression.qualifier, expression.id);
    case "protocol":
      return protocolIs(state, expression.protocol);
    case "relation": {
      const left = evaluate(state, expression.left);
      return valuesRelate(state, expression.relation, left, evaluate(state, expression.right));
    }
    case "broadcast":
      return isBroadcast(state, expression.protocol);
    case "multicast":
      return isMulticast(state, expression.protocol);
    case "less":
    case "greater":
      return lengthIs(expression.kind, expression.value);
    case "byte":
      return byteIs(state, expression.index, expression.op, expression.value);
    case "inbound":
    case "outbound":
      return wentOut(state, expression.kind === "outbound");
    case "ifindex":
      return onInterface(state, expression.value);
    case "vlan":
      return hasVlan(state, expression.value);
    case "mpls":
      return hasLabel(state, expression.value);
    case "pppoed":
      return carries(state, ETHER_TYPE.pppoed);
    case "pppoes":
      return isSession(state, expression.value);
    case "geneve":
      return isGeneve(state, expression.value);
    case "llc":
      return llcIs(state, expression.type);
    case "foreign":
      return fault("FILTER_QUALIFIER", expression.message);
  }
}
