import { isBpfAllowed, KernelClient } from "@tsbpf/kernel";
import { readBytes, runToolCommand } from "@tsbpf/testkit";
import { walkCapture } from "@tsbpf/trace";
import { createVm } from "@tsbpf/vm";
import { comparePackets } from "./packets.ts";

const USAGE = `usage: packets-main.ts CAPTURE OBJECT…

Runs every program of the objects over the capture, here and in the running kernel. Ends with 1 when anything differs.
`;

type Result = Awaited<ReturnType<typeof comparePackets>>;

function printResult({ prog, skipped, differences }: Result): string {
  if (skipped !== undefined) return `skipped ${prog}: ${skipped}\n`;
  return differences
    .map(
      (one) =>
        `${one.prog} ${one.engine} packet ${one.packet ?? "-"} ${one.what}: ` +
        `kernel ${one.kernel.slice(0, 160)}, here ${one.ours.slice(0, 160)}\n`,
    )
    .join("");
}

async function compareObjects(packets: readonly Uint8Array[], paths: readonly string[]): Promise<number> {
  const client = new KernelClient();
  const results: Result[] = [];
  for (const path of paths) {
    const spec = createVm().readSource(readBytes(path), { name: path.split("/").at(-1) ?? path });
    for (const prog of spec.progs) {
      const result = await comparePackets(client, spec, prog, packets);
      process.stdout.write(printResult(result));
      results.push(result);
    }
  }
  await client.close();
  const compared = results.filter(({ skipped }) => skipped === undefined);
  const differing = compared.filter(({ differences }) => differences.length > 0);
  process.stdout.write(
    `${compared.length} programs over ${packets.length} packets each, ${differing.length} differ\n`,
  );
  return differing.length === 0 ? 0 : 1;
}

await runToolCommand({
  usage: USAGE,
  options: {},
  run({ positionals: [capture, ...objects] }) {
    if (capture === undefined || objects.length === 0) {
      process.stderr.write(USAGE);
      return 2;
    }
    if (!isBpfAllowed()) {
      process.stderr.write("the running kernel does not allow bpf(2)\n");
      return 2;
    }
    const packets = [...walkCapture(readBytes(capture))].map((record) => record.data);
    return compareObjects(packets, objects);
  },
});
