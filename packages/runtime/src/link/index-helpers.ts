import { InputError } from "@tsbpf/base";
import type { HelperPlugin } from "@tsbpf/plugin";

/**
 * Makes the table of helpers that programs are linked with.
 *
 * @throws PLUGIN_DUPLICATE (InputError) when two helpers share an id or a name.
 */
export function indexHelpers(helpers: Iterable<HelperPlugin>): Map<number, HelperPlugin> {
  const byId = new Map<number, HelperPlugin>();
  const names = new Set<string>();
  for (const helper of helpers) {
    const { id, name } = helper.proto;
    const other = byId.get(id);
    if (other !== undefined)
      throw duplicate(`helper id ${id} is given to ${other.proto.name} and ${name}`, { id, name });
    if (names.has(name)) throw duplicate(`two helpers are named ${name}`, { name });
    byId.set(id, helper);
    names.add(name);
  }
  return byId;
}

/**
 * Makes the table of kernel functions that programs are linked with.
 *
 * @throws PLUGIN_DUPLICATE (InputError) when two share a name.
 */
export function indexKfuncs(kfuncs: Iterable<HelperPlugin>): Map<string, HelperPlugin> {
  const byName = new Map<string, HelperPlugin>();
  for (const kfunc of kfuncs) {
    const { name } = kfunc.proto;
    if (byName.has(name)) throw duplicate(`two kernel functions are named ${name}`, { name });
    byName.set(name, kfunc);
  }
  return byName;
}

const duplicate = (text: string, details: Readonly<Record<string, unknown>>): InputError =>
  new InputError("PLUGIN_DUPLICATE", text, { details });
