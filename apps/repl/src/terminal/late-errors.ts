import { describeThrown } from "../core/fault.ts";

/**
 * Tells what fails behind a command, e.g. in a timer that a helper from the prompt started, as an error like others:
 * for the rest of the process, since such a timer may outlive the last command.
 */
export function tellLateErrors(tell: (text: string) => void): void {
  const onError = (thrown: unknown): void =>
    tell(`error: something that was started before failed: ${describeThrown(thrown)} [REPL_HELPER]\n`);
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onError);
}
