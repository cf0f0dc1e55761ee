import type { HelperProto, MapTypeName, ProgTypeName } from "@tsbpf/abi";
import { InputError, UnsupportedError } from "@tsbpf/base";
import type { HelperPlugin, MapTypePlugin, ProgTypePlugin } from "@tsbpf/plugin";

/** The plugins of a VM, found by id, name or type. */
export class Registry {
  readonly helpersById: ReadonlyMap<number, HelperPlugin>;
  readonly helpersByName: ReadonlyMap<string, HelperPlugin>;
  private readonly mapTypes: ReadonlyMap<MapTypeName, MapTypePlugin>;
  private readonly progTypes: ReadonlyMap<ProgTypeName, ProgTypePlugin>;

  constructor(parts: {
    readonly helpers: readonly HelperPlugin[];
    readonly replaceHelpers: readonly HelperPlugin[];
    readonly mapTypes: readonly MapTypePlugin[];
    readonly progTypes: readonly ProgTypePlugin[];
  }) {
    const replaced = new Set(parts.replaceHelpers.map((one) => one.proto.id));
    const helpers = [...parts.helpers.filter((one) => !replaced.has(one.proto.id)), ...parts.replaceHelpers];
    this.helpersById = indexBy(helpers, (one) => one.proto.id, "helper id");
    this.helpersByName = indexBy(helpers, (one) => one.proto.name, "helper name");
    this.mapTypes = indexBy(parts.mapTypes, (one) => one.type, "map type");
    this.progTypes = indexBy(parts.progTypes, (one) => one.type, "program type");
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
