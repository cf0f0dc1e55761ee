import pc from "picocolors";

export type ColourMode = "auto" | "always" | "never";
export type Colours = ReturnType<typeof pc.createColors>;

/** Decides on colours for one stream: the flag, then NO_COLOR, then FORCE_COLOR, then what the stream is. */
export function coloursFor(stream: NodeJS.WriteStream, mode: ColourMode): Colours {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (mode !== "auto") return pc.createColors(mode === "always");
  if (NO_COLOR !== undefined && NO_COLOR !== "") return pc.createColors(false);
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "0") return pc.createColors(true);
  return pc.createColors(stream.isTTY === true && TERM !== "dumb");
}
