import { describe, expect, it } from "vitest";
import { PERM, RegionTable } from "../src/index.ts";

describe("RegionTable.changes", () => {
  const region = { start: 65536, end: 65600, perm: PERM.readWrite, kind: "scratch", name: "a" } as const;

  it("counts moves that change an end, and no others", () => {
    const table = new RegionTable();
    const live = table.add(region);
    expect(table.changes.count).toBe(0);
    live.move(65536, 65600);
    expect(table.changes.count).toBe(0);
    live.move(65540, 65600);
    expect(table.changes.count).toBe(1);
  });

  it("counts removals and marks the region as no longer listed", () => {
    const table = new RegionTable();
    const live = table.add(region);
    table.remove(live.start + 1);
    expect(live.isListed).toBe(true);
    table.remove(live.start);
    expect(live.isListed).toBe(false);
    expect(table.changes.count).toBe(1);
  });
});
