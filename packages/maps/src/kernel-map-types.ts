import type { MapTypeName } from "@tsbpf/abi";
import type { MapTypePlugin } from "@tsbpf/plugin";
import { arrayMapTypes } from "./array-map.ts";
import { bloomFilterMapTypes } from "./bloom-filter-map.ts";
import { hashMapTypes } from "./hash/hash-map.ts";
import { lruMapTypes } from "./hash/lru-map.ts";
import { lpmTrieMapTypes } from "./lpm-trie-map.ts";
import { mapOfMapsTypes } from "./map-of-maps.ts";
import { objectMapTypes } from "./object-maps.ts";
import { queueMapTypes } from "./queue-map.ts";
import { redirectMapTypes } from "./redirect-maps.ts";
import { ringMapTypes } from "./ring-map.ts";
import { stackTraceMapTypes } from "./stack-trace-map.ts";
import { storageMapTypes } from "./storage-map.ts";
import { unsupportedMapTypes } from "./unsupported-maps.ts";
import { xskMapTypes } from "./xsk-map.ts";

/** The map types of Linux 6.18, for `createVm`; those that cannot be made refuse by name. */
export const kernelMapTypes: readonly MapTypePlugin[] = [
  ...arrayMapTypes,
  ...hashMapTypes,
  ...lruMapTypes,
  ...lpmTrieMapTypes,
  ...queueMapTypes,
  ...bloomFilterMapTypes,
  ...objectMapTypes,
  ...mapOfMapsTypes,
  ...redirectMapTypes,
  ...xskMapTypes,
  ...ringMapTypes,
  ...stackTraceMapTypes,
  ...storageMapTypes,
  ...unsupportedMapTypes,
];

/** Finds the plugin of a type among those given. */
export const mapTypePlugin = (
  type: MapTypeName,
  plugins: readonly MapTypePlugin[] = kernelMapTypes,
): MapTypePlugin | undefined => plugins.find((plugin) => plugin.type === type);
