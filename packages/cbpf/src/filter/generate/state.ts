import { SCRATCH_WORDS } from "../../insn.ts";
import { fault } from "../errors.ts";
import type { LinkKind, LinkLayer } from "./link.ts";

/** What names in a filter stand for; the package itself asks no one. */
export interface FilterNames {
  /** Addresses of a host: dotted IPv4 or IPv6 text. */
  host?(name: string): readonly string[] | undefined;
  /** Number of a network, left bytes zero when short. */
  net?(name: string): number | undefined;
  /** A service's port and the protocols that have it, by number. */
  port?(name: string): { readonly port: number; readonly protocol: number | undefined } | undefined;
  /** An IP protocol's number. */
  protocol?(name: string): number | undefined;
  /** A link-layer address. */
  ether?(name: string): string | undefined;
}

export interface FilterOptions {
  /** Link layer of the packets; Ethernet when omitted. */
  readonly link?: LinkLayer;
  /** What a filter returns for packets that it takes, in bytes; 262144 when omitted. */
  readonly snaplen?: number;
  /** Whether code is optimised. Default true. */
  readonly optimize?: boolean;
  /** Mask of the network for `ip broadcast`; 0 when omitted, as tcpdump has it without an interface. */
  readonly netmask?: number;
  /** Whether packets come from a file, whose packets carry no facts besides their bytes. Default false. */
  readonly isFile?: boolean;
  /** Whether the file was written by a machine of the other byte order. Default false. */
  readonly isSwapped?: boolean;
  readonly names?: FilterNames;
}

/** An offset from the start of the packet, part of which may be known only when the filter runs. */
export interface Offset {
  constant: number;
  isVariable: boolean;
  /** Word of scratch memory that holds the variable part. */
  register: number | undefined;
}

const fixedOffset = (constant: number): Offset => ({
  constant,
  isVariable: false,
  register: undefined,
});

/** Hands out words of scratch memory in a circle. */
export class Registers {
  private readonly isUsed = new Array<boolean>(SCRATCH_WORDS).fill(false);
  private at = 0;

  allocate(): number {
    for (let tries = 0; tries < SCRATCH_WORDS; tries++) {
      if (!this.isUsed[this.at]) {
        this.isUsed[this.at] = true;
        return this.at;
      }
      this.at = (this.at + 1) % SCRATCH_WORDS;
    }
    return fault("FILTER_TOO_COMPLEX", "too many registers needed to evaluate expression");
  }

  free(register: number): void {
    this.isUsed[register] = false;
  }
}

/**
 * What generating code has learned: where headers are. Primitives such as `vlan` change it for everything that
 * comes after them, which is how the language works.
 */
export interface State {
  readonly options: FilterOptions;
  /** Link layer that questions are about now. */
  link: LinkKind;
  linkHeader: Offset;
  linkType: Offset;
  readonly hasLinkType: boolean;
  payload: Offset;
  /** From the payload to the network header. */
  network: number;
  networkNoSnap: number;
  /** MPLS labels that have been asked for. */
  labels: number;
  isGeneve: boolean;
  /** Cleared by code with jumps inside blocks, which the optimiser does not follow. */
  canOptimize: boolean;
  readonly registers: Registers;
}

export const createState = (options: FilterOptions, link: LinkLayer): State => ({
  options,
  link: link.kind,
  linkHeader: fixedOffset(0),
  linkType: fixedOffset(link.typeOffset ?? 0),
  hasLinkType: link.typeOffset !== undefined,
  payload: fixedOffset(link.headerBytes),
  network: 0,
  networkNoSnap: link.noSnapBytes,
  labels: 0,
  isGeneve: false,
  canOptimize: true,
  registers: new Registers(),
});
