import { printableText } from "./read.ts";

const METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "PATCH",
  "COPY",
  "MOVE",
  "LOCK",
  "UNLOCK",
  "MKCOL",
  "PROPFIND",
  "PROPPATCH",
  "SEARCH",
  "REPORT",
  "NOTIFY",
  "SUBSCRIBE",
  "UNSUBSCRIBE",
]);
const LINE_BYTES_MAX = 2048;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Prints `HTTP`, and the first line of a request or an answer. */
export function printHttp(payload: Uint8Array): string {
  const feed = payload.subarray(0, LINE_BYTES_MAX).indexOf(LINE_FEED);
  let end = feed < 0 ? Math.min(payload.length, LINE_BYTES_MAX) : feed;
  if (end > 0 && payload[end - 1] === CARRIAGE_RETURN) end--;
  const line = printableText(payload.subarray(0, end));
  const [first = "", second = ""] = line.split(" ");
  const isLine = METHODS.has(first) || (/^\d{3}$/.test(second) && first !== "");
  return isLine ? `HTTP: ${line}` : "HTTP";
}
