import { PERM } from "@tsbpf/memory";
import { BOUNDS_OF } from "../run/cell.ts";

const EACH = (BOUNDS_OF.count - BOUNDS_OF.first) / 2;

/**
 * Hands out the bounds that the checked accesses of a module remember, in the order in which they are written: two of
 * them share some only where there are more accesses than bounds. Even ones are for reads, odd ones for regions that
 * may be written too.
 */
export class BoundsOrder {
  private reads = 0;
  private writes = 0;

  next(perm: number): number {
    const isRead = perm === PERM.read;
    const idx = isRead ? this.reads++ : this.writes++;
    return BOUNDS_OF.first + 2 * (idx % EACH) + (isRead ? 0 : 1);
  }
}
