import pc from "picocolors";
import { highlight, type Paint } from "../core/highlight.ts";

export type Painter = (line: string) => string;

/** Makes what colours a text: verbs and assembly; the text is the same without colours. */
export function createPainter(isColoured: boolean): Painter {
  if (!isColoured) return (line) => line;
  const colours = pc.createColors(true);
  const paints: Readonly<Record<Paint, (text: string) => string>> = {
    register: colours.yellow,
    number: colours.cyan,
    helper: colours.magenta,
    comment: colours.gray,
    verb: colours.blue,
    verdict: colours.green,
    error: colours.red,
    plain: (text) => text,
  };
  return (text) =>
    highlight(text)
      .map((span) => paints[span.paint](span.text))
      .join("");
}
