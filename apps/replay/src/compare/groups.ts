import { ASPECTS, type Aspect, type Difference } from "./differ.ts";

/** A packet that shows a difference. */
export interface Example {
  readonly path: string;
  /** Number in its file, from 1; 0 for what is not any packet's. */
  readonly packet: number;
  readonly a: string;
  readonly b: string;
}

/** Differences that have something in common. */
export interface Group {
  readonly aspect: Aspect;
  readonly name: string;
  count: number;
  readonly examples: Example[];
}

/** Groups kept of one aspect; further ones are counted together. */
const GROUPS_MAX = 50;
const OTHERS = "others";

/** Gathers differences by what they have in common. */
export class DifferenceGroups {
  private readonly groups = new Map<string, Group>();
  private readonly sizes = new Map<Aspect, number>();
  private readonly examplesMax: number;

  constructor(examplesMax: number) {
    this.examplesMax = examplesMax;
  }

  add(difference: Difference, path: string, packet: number): void {
    const { aspect, a, b } = difference;
    const group = this.groupOf(aspect, difference.group);
    group.count += 1;
    if (group.examples.length < this.examplesMax) group.examples.push({ path, packet, a, b });
  }

  get isEmpty(): boolean {
    return this.groups.size === 0;
  }

  /** Lists the groups by aspect, the largest first. */
  list(): readonly Group[] {
    return [...this.groups.values()].sort(
      (one, other) => ASPECTS.indexOf(one.aspect) - ASPECTS.indexOf(other.aspect) || other.count - one.count,
    );
  }

  private groupOf(aspect: Aspect, name: string): Group {
    const known = this.groups.get(`${aspect}/${name}`);
    if (known !== undefined) return known;
    const size = this.sizes.get(aspect) ?? 0;
    if (size >= GROUPS_MAX && name !== OTHERS) return this.groupOf(aspect, OTHERS);
    const made: Group = { aspect, name, count: 0, examples: [] };
    this.groups.set(`${aspect}/${name}`, made);
    this.sizes.set(aspect, size + 1);
    return made;
  }
}
