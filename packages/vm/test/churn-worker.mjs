// The thread beside `churn.test.ts`: inserts, changes and removes keys until it is told to stop.
// Workers of Node 20 take no `--import tsx`; this registers it before anything is loaded.
import { parentPort, workerData } from "node:worker_threads";
import { register } from "tsx/esm/api";

register();
const { createVm } = await import("../src/index.ts");

const { shared, maps, stop } = workerData;
const vm = createVm({ maps, cpuCount: 2, memory: { joins: shared.memory } });
vm.enter(shared, 1);
const map = vm.maps.get("keys");
const value = new Uint8Array(map.get(new Uint8Array(map.spec.keyBytes)).length).fill(0xee);
const key = new Uint8Array(map.spec.keyBytes);
let changes = 0;
parentPort.postMessage("started");
while (Atomics.load(stop, 0) === 0) {
  key[0] = 100 + ((changes * 7) % 24);
  if (changes % 3 === 0) map.remove(key);
  else map.set(key, value);
  changes++;
}
parentPort.postMessage(changes);
