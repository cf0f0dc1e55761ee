import { InputError } from "@tsbpf/base";
import type { HelperPlugin, MapTypePlugin, ProgTypePlugin } from "@tsbpf/plugin";
import type { ReplayIo } from "../io.ts";

/** What plugin files bring. */
export interface Plugins {
  readonly helpers: HelperPlugin[];
  /** Kernel functions. */
  readonly kfuncs?: HelperPlugin[];
  readonly mapTypes: MapTypePlugin[];
  readonly progTypes: ProgTypePlugin[];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
const isHelper = (value: unknown): value is HelperPlugin =>
  isObject(value) && "proto" in value && "args" in value;
/** Kernel functions have names alone, no ids. */
const isKfunc = ({ proto }: HelperPlugin): boolean => proto.id === 0;
const isMapType = (value: unknown): value is MapTypePlugin =>
  isObject(value) && "create" in value && "check" in value;
const isProgType = (value: unknown): value is ProgTypePlugin =>
  isObject(value) && "createContext" in value && "verdictName" in value;

/**
 * Loads plugin files: every export, or element of an exported list, that `defineHelper`, `defineKfunc`,
 * `defineMapType` or `defineProgType` made.
 *
 * @throws PLUGIN_EMPTY (InputError) when a file exports none.
 */
export async function loadPlugins(
  paths: readonly string[],
  io: Pick<ReplayIo, "loadPlugin">,
): Promise<Plugins> {
  const plugins: Required<Plugins> = { helpers: [], kfuncs: [], mapTypes: [], progTypes: [] };
  for (const path of paths) {
    const values = new Set(Object.values(await io.loadPlugin(path)).flat());
    let found = 0;
    for (const value of values) {
      if (isHelper(value)) (isKfunc(value) ? plugins.kfuncs : plugins.helpers).push(value);
      else if (isMapType(value)) plugins.mapTypes.push(value);
      else if (isProgType(value)) plugins.progTypes.push(value);
      else continue;
      found += 1;
    }
    if (found === 0) {
      throw new InputError(
        "PLUGIN_EMPTY",
        `${path} exports no plugin, a value of defineHelper, defineKfunc, defineMapType or defineProgType needed`,
      );
    }
  }
  return plugins;
}
