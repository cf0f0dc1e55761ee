import type { Stop } from "./debuggee.ts";
import type { Session } from "./session.ts";
import { printScalar } from "./values.ts";

/** Says why a command stopped and where. */
export function reportStop(session: Session, stop: Stop): void {
  const { points } = session.debuggee;
  session.sayEffects();
  switch (stop.kind) {
    case "exit":
      session.last = stop.r0;
      session.say(exitText(session, stop.r0));
      return;
    case "trap":
      session.say(`trap: ${stop.trap.message} [${stop.trap.code}]`);
      if (stop.trap.code === "RUN_BUDGET") session.say("(.fuel N allows more)");
      session.say(session.whereText());
      return;
    case "breakpoint": {
      const point = points.ofStepper(stop.id);
      if (point !== undefined) {
        point.hits++;
        session.say(
          `breakpoint ${point.id} at ${point.text}${point.hits > 1 ? `, hit ${point.hits} times` : ""}`,
        );
        if (point.isTemporary) session.removePoint(point.id);
      }
      break;
    }
    case "watchpoint": {
      const point = points.ofStepper(stop.id);
      if (point !== undefined) point.hits++;
      session.say(
        `watchpoint ${point?.id ?? 0}: ${point?.text ?? ""} was ${printScalar(stop.before)}, is ${printScalar(stop.after)}`,
      );
      break;
    }
    case "start":
      session.say("at the start");
      break;
    case "interrupted":
      session.say("interrupted");
      break;
    case "limit":
    case "step":
    case "until":
      break;
  }
  session.say(session.whereText());
  session.showDisplays();
}

function exitText(session: Session, r0: bigint): string {
  const { progType } = session.linked;
  const retval = Number(BigInt.asUintN(32, r0));
  const name = session.isScratch ? undefined : progType.verdictName(retval);
  const { insnCount } = session.debuggee.stepper;
  const verdict = name === undefined ? "" : `  ${name}`;
  return `R0=${printScalar(r0)}${verdict}${session.isScratch ? "" : `  (exited after ${insnCount} instructions)`}`;
}
