import type { TimeStyle } from "../options.ts";

const NS_PER_SEC = 1_000_000_000;
const two = (value: number): string => String(value).padStart(2, "0");
/** tcpdump prints microseconds, whatever the capture's resolution. */
const micros = (nanos: number): string => String(Math.floor(nanos / 1000)).padStart(6, "0");

/** Prints when packets were captured, as tcpdump's `-t` options do; times of day are local. */
export class PacketTimes {
  private readonly style: TimeStyle;
  private from: readonly [sec: number, nanos: number] | undefined;

  constructor(style: TimeStyle = "clock") {
    this.style = style;
  }

  /** Prints the time of the next packet, a blank behind it; nothing where none is asked for. */
  print(sec: number, nanos: number): string {
    switch (this.style) {
      case "none":
        return "";
      case "epoch":
        return `${sec}.${micros(nanos)} `;
      case "clock":
        return `${clockOf(sec)}.${micros(nanos)} `;
      case "date":
        return `${dateOf(sec)} ${clockOf(sec)}.${micros(nanos)} `;
      case "delta":
      case "since": {
        const since = this.distance(sec, nanos);
        if (this.style === "delta" || this.from === undefined) this.from = [sec, nanos];
        return ` ${since} `;
      }
    }
  }

  private distance(sec: number, nanos: number): string {
    const [fromSec, fromNanos] = this.from ?? [sec, nanos];
    let secs = sec - fromSec;
    let left = nanos - fromNanos;
    const isBefore = secs < 0 || (secs === 0 && left < 0);
    if (isBefore) {
      secs = -secs;
      left = -left;
    }
    if (left < 0) {
      secs -= 1;
      left += NS_PER_SEC;
    }
    const hours = Math.floor(secs / 3600);
    return `${isBefore ? "-" : ""}${two(hours)}:${two(Math.floor(secs / 60) % 60)}:${two(secs % 60)}.${micros(left)}`;
  }
}

function clockOf(sec: number): string {
  const date = new Date(sec * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function dateOf(sec: number): string {
  const date = new Date(sec * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
