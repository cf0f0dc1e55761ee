import type { Session } from "../session.ts";

/** Says what was loaded and what the verifier thinks of it. */
export function reportLoaded(session: Session): void {
  const { spec, funcs } = session.prog.linked;
  const functions = funcs.length === 1 ? "" : `, ${funcs.length} functions`;
  session.say(
    `${spec.name} (${spec.type}): ${spec.insns.length} slots${functions}, ${spec.maps.length} maps`,
  );
  const verdict = session.judge(spec);
  if (!verdict.isAccepted)
    session.say(`the verifier refuses it: ${verdict.message} [${verdict.code}]; it runs all the same`);
}
