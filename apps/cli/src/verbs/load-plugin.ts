import { pathToFileURL } from "node:url";
import { InputError } from "@tsbpf/base";

/** Imports a plugin file; TypeScript works without a build. */
export async function loadPlugin(path: string): Promise<Record<string, unknown>> {
  const url = pathToFileURL(path).href;
  try {
    if (/\.[cm]?tsx?$/.test(path)) {
      const { tsImport } = await import("tsx/esm/api");
      return (await tsImport(url, import.meta.url)) as Record<string, unknown>;
    }
    return (await import(url)) as Record<string, unknown>;
  } catch (error) {
    throw new InputError(
      "PLUGIN_LOAD",
      `${path} cannot be loaded as a module: ${(error as Error).message.split("\n")[0]}`,
      { cause: error },
    );
  }
}
