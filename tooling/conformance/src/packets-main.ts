import { readFileSync } from "node:fs";
import { isBpfAllowed, KernelClient } from "@tsbpf/kernel";
import { walkCapture } from "@tsbpf/trace";
import { createVm } from "@tsbpf/vm";
import { comparePackets } from "./packets.ts";

// packets-main.ts CAPTURE OBJECT...: every program of the objects over the capture, here and in the running kernel.
const [capture, ...objects] = process.argv.slice(2);
if (capture === undefined || objects.length === 0) {
  process.stderr.write("usage: packets-main.ts CAPTURE OBJECT...\n");
  process.exitCode = 2;
} else if (!isBpfAllowed()) {
  process.stderr.write("the running kernel does not allow bpf(2)\n");
  process.exitCode = 2;
} else {
  const packets = [...walkCapture(new Uint8Array(readFileSync(capture)))].map((record) => record.data);
  const client = new KernelClient();
  let compared = 0;
  let differing = 0;
  for (const path of objects) {
    const spec = createVm().readSource(new Uint8Array(readFileSync(path)), {
      name: path.split("/").at(-1) ?? path,
    });
    for (const prog of spec.progs) {
      const result = await comparePackets(client, spec, prog, packets);
      if (result.skipped !== undefined) {
        process.stdout.write(`skipped ${result.prog}: ${result.skipped}\n`);
        continue;
      }
      compared += 1;
      if (result.differences.length > 0) differing += 1;
      for (const one of result.differences) {
        process.stdout.write(
          `${one.prog} ${one.engine} packet ${one.packet ?? "-"} ${one.what}: kernel ${one.kernel.slice(0, 160)}, here ${one.ours.slice(0, 160)}\n`,
        );
      }
    }
  }
  await client.close();
  process.stdout.write(`${compared} programs over ${packets.length} packets each, ${differing} differ\n`);
  process.exitCode = differing === 0 ? 0 : 1;
}
