import { Option } from "commander";

/** How packets come to CPUs: an option of all verbs that run on several. */
export const spreadOption = (): Option =>
  new Option("--spread <how>", "how packets come to CPUs; default flow").choices([
    "flow",
    "round-robin",
    "recorded",
  ]);
