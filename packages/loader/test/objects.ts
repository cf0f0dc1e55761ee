import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Objects beside the tests, compiled by objects/build.sh. */
export const readOwnObject = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(at(`objects/${name}`)));

const SAMPLES = at("../../../samples");
const INSTALLED = "/usr/lib/x86_64-linux-gnu/bpf";

function objectsUnder(folder: string, ending: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(ending))
      .sort()
      .map((name) => `${folder}/${name}`);
  } catch {
    return [];
  }
}

/** The project's own sample objects. */
export const sampleObjects = (): string[] => objectsUnder(SAMPLES, ".bpf.o");
/** Objects that Debian's XDP packages install; none where they are absent. */
export const installedObjects = (): string[] => objectsUnder(INSTALLED, ".o");

export const readObject = (path: string): Uint8Array => new Uint8Array(readFileSync(path));
export const shortName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
