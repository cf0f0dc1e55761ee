import { type HelperProto, kfuncByName, type MapTypeName, type ProgTypeName } from "@tsbpf/abi";
import { InputError, UnsupportedError } from "@tsbpf/base";
import type { HelperPlugin, MapTypePlugin, ProgTypePlugin } from "@tsbpf/plugin";
import { indexKfuncs } from "@tsbpf/runtime";

/** The plugins of a VM, found by id, name or type. */
export class Registry {
  readonly helpersById: ReadonlyMap<number, HelperPlugin>;
  readonly helpersByName: ReadonlyMap<string, HelperPlugin>;
  readonly kfuncsByName: ReadonlyMap<string, HelperPlugin>;
  private readonly ids: Map<number, HelperPlugin>;
  private readonly names: Map<string, HelperPlugin>;
  private readonly kfuncs: Map<string, HelperPlugin>;
  private readonly mapTypes: Map<MapTypeName, MapTypePlugin>;
  private readonly progTypes: Map<ProgTypeName, ProgTypePlugin>;

  constructor(parts: {
    readonly helpers: readonly HelperPlugin[];
    readonly replaceHelpers: readonly HelperPlugin[];
    readonly kfuncs: readonly HelperPlugin[];
    readonly mapTypes: readonly MapTypePlugin[];
    readonly progTypes: readonly ProgTypePlugin[];
  }) {
    const replaced = new Set(parts.replaceHelpers.map((one) => one.proto.id));
    const helpers = [...parts.helpers.filter((one) => !replaced.has(one.proto.id)), ...parts.replaceHelpers];
    this.ids = indexBy(helpers, (one) => one.proto.id, "helper id");
    this.names = indexBy(helpers, (one) => one.proto.name, "helper name");
    this.helpersById = this.ids;
    this.helpersByName = this.names;
    this.kfuncs = indexKfuncs(parts.kfuncs);
    this.kfuncsByName = this.kfuncs;
    this.mapTypes = indexBy(parts.mapTypes, (one) => one.type, "map type");
    this.progTypes = indexBy(parts.progTypes, (one) => one.type, "program type");
  }

  /**
   * Adds plugins while the VM lives; one takes the place of another with its id, name or type. Programs that were
   * prepared before keep what they have.
   */
  add(plugins: {
    readonly helpers?: readonly HelperPlugin[];
    readonly kfuncs?: readonly HelperPlugin[];
    readonly mapTypes?: readonly MapTypePlugin[];
    readonly progTypes?: readonly ProgTypePlugin[];
  }): void {
    for (const helper of plugins.helpers ?? []) {
      this.removeHelper(this.names.get(helper.proto.name));
      this.removeHelper(this.ids.get(helper.proto.id));
      this.ids.set(helper.proto.id, helper);
      this.names.set(helper.proto.name, helper);
    }
    for (const kfunc of plugins.kfuncs ?? []) this.kfuncs.set(kfunc.proto.name, kfunc);
    for (const mapType of plugins.mapTypes ?? []) this.mapTypes.set(mapType.type, mapType);
    for (const progType of plugins.progTypes ?? []) this.progTypes.set(progType.type, progType);
  }

  /** Takes a helper away; programs that call it link to a trap from then on. */
  removeHelper(helper: HelperPlugin | undefined): void {
    if (helper === undefined) return;
    this.ids.delete(helper.proto.id);
    this.names.delete(helper.proto.name);
  }

  /** @throws UNSUPPORTED_MAP_TYPE (UnsupportedError) when no plugin has the type. */
  mapType(type: MapTypeName): MapTypePlugin {
    const plugin = this.mapTypes.get(type);
    if (plugin !== undefined) return plugin;
    throw new UnsupportedError("UNSUPPORTED_MAP_TYPE", `map type ${type} has no implementation here`, {
      details: { type },
    });
  }

  /** @throws UNSUPPORTED_PROG_TYPE (UnsupportedError) when no plugin has the type. */
  progType(type: ProgTypeName): ProgTypePlugin {
    const plugin = this.progTypes.get(type);
    if (plugin !== undefined) return plugin;
    const known = [...this.progTypes.keys()].join(", ");
    throw new UnsupportedError(
      "UNSUPPORTED_PROG_TYPE",
      `program type ${type} cannot be run here, these can: ${known}`,
      {
        details: { type },
      },
    );
  }

  /** Prototypes of the helpers that Linux does not have. */
  customProtos(): HelperProto[] {
    return [...this.helpersById.values()]
      .filter((one) => one.proto.since === "custom")
      .map((one) => one.proto);
  }

  /** Prototypes of the kernel functions that Linux does not have. */
  customKfuncs(): HelperProto[] {
    return [...this.kfuncsByName.values()]
      .map((one) => one.proto)
      .filter((proto) => kfuncByName(proto.name) === undefined);
  }
}

function indexBy<T, K>(items: readonly T[], keyOf: (item: T) => K, what: string): Map<K, T> {
  const index = new Map<K, T>();
  for (const item of items) {
    const key = keyOf(item);
    if (index.has(key)) {
      throw new InputError(
        "PLUGIN_DUPLICATE",
        `${what} ${String(key)} is defined twice; use replaceHelpers to mock one`,
        {
          details: { key },
        },
      );
    }
    index.set(key, item);
  }
  return index;
}
