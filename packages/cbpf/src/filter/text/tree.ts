import type { CbpfAluOp } from "../../rows.ts";
import type { FilterPlace } from "../errors.ts";
import type { Protocol } from "./words.ts";

/** Which address of a packet is meant; `any` when nothing is said. */
export type Direction =
  | "any"
  | "src"
  | "dst"
  | "src or dst"
  | "src and dst"
  | "addr1"
  | "addr2"
  | "addr3"
  | "addr4"
  | "ra"
  | "ta";

/** What kind of thing an id is; `any` when nothing is said, which means a host. */
export type IdType = "any" | "host" | "net" | "port" | "portrange" | "proto" | "protochain" | "gateway";

/** What stands before an id. */
export interface Qualifier {
  readonly protocol: Protocol | "any";
  readonly direction: Direction;
  readonly type: IdType;
}

/** The thing that a primitive asks for. */
export type Id = FilterPlace &
  (
    | { readonly kind: "name"; readonly text: string }
    | { readonly kind: "number"; readonly value: number }
    | { readonly kind: "ip"; readonly text: string }
    | { readonly kind: "ip-prefix"; readonly text: string; readonly bits: number }
    | { readonly kind: "ip-mask"; readonly text: string; readonly mask: string }
    | { readonly kind: "ip6"; readonly text: string; readonly bits: number }
    | { readonly kind: "mac"; readonly text: string }
    | { readonly kind: "arc"; readonly text: string }
  );

export type Arithmetic = FilterPlace &
  (
    | { readonly kind: "number"; readonly value: number }
    | { readonly kind: "length" }
    | {
        readonly kind: "load";
        readonly protocol: Protocol;
        readonly index: Arithmetic;
        readonly bytes: number;
      }
    | { readonly kind: "negate"; readonly of: Arithmetic }
    | {
        readonly kind: "binary";
        readonly op: CbpfAluOp;
        readonly left: Arithmetic;
        readonly right: Arithmetic;
      }
  );

export type Relation = ">" | ">=" | "=" | "<" | "<=" | "!=";

/** A question about a packet. */
export type Expression = FilterPlace &
  (
    | { readonly kind: "chain"; readonly first: Expression; readonly rest: readonly ChainLink[] }
    | { readonly kind: "not"; readonly of: Expression }
    | { readonly kind: "id"; readonly qualifier: Qualifier | undefined; readonly id: Id }
    | { readonly kind: "protocol"; readonly protocol: Protocol }
    | {
        readonly kind: "relation";
        readonly relation: Relation;
        readonly left: Arithmetic;
        readonly right: Arithmetic;
      }
    | { readonly kind: "broadcast" | "multicast"; readonly protocol: Protocol | "any" }
    | { readonly kind: "less" | "greater"; readonly value: number }
    | { readonly kind: "byte"; readonly index: number; readonly op: string; readonly value: number }
    | { readonly kind: "inbound" | "outbound" | "pppoed" }
    | { readonly kind: "ifindex"; readonly value: number }
    | {
        readonly kind: "vlan" | "mpls" | "pppoes" | "geneve";
        /** Which one; any when undefined. */
        readonly value: number | undefined;
      }
    | { readonly kind: "llc"; readonly type: string | undefined }
    /** A primitive of link layers that are not supported; why it does not fit. */
    | { readonly kind: "foreign"; readonly message: string }
  );

/** What follows the first part of a chain; `and` and `or` bind alike, from left to right. */
export interface ChainLink {
  readonly op: "and" | "or";
  readonly of: Expression;
}
