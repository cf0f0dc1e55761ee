import { interpreter } from "@tsbpf/interpreter";
import { describe, expect, it } from "vitest";
import { ENGINE_MAPS, EngineSide } from "../src/engine-side.ts";

const make = (): EngineSide => new EngineSide(interpreter, { isShared: false, recordEffects: false });

describe("the maps of two machines", () => {
  it("are alike at first, and differ by one byte of a value or one element", () => {
    const one = make();
    const other = make();
    expect(one.mapThatDiffers(other)).toBeUndefined();
    let changed = 0;
    for (const { name, valueBytes } of ENGINE_MAPS) {
      const map = one.vm.maps.get(name);
      const entry = map?.entries().next().value;
      if (map === undefined || entry === undefined || map.spec.type !== "array") continue;
      const [key, value] = entry;
      const changedValue = value.slice();
      changedValue[valueBytes - 1] = 1;
      map.set(key, changedValue);
      expect(one.mapThatDiffers(other), name).toBe(name);
      map.set(key, value);
      expect(one.mapThatDiffers(other), name).toBeUndefined();
      changed++;
    }
    expect(changed).toBeGreaterThan(0);
    one.vm.maps.get("h")?.set(new Uint8Array(4), new Uint8Array(8));
    expect(one.mapThatDiffers(other)).toBe("h");
    expect(other.mapThatDiffers(one)).toBe("h");
  });
});
