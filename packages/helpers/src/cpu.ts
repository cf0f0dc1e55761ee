import { kernelHelper } from "./define.ts";
import { setU32 } from "./regs.ts";

const getPrandomU32 = kernelHelper(7, "Returns a pseudo-random number.", (regs, env) =>
  setU32(regs, env.services.random.u32()),
);

const getSmpProcessorId = kernelHelper(8, "Returns the CPU that runs the program.", (regs, env) =>
  setU32(regs, env.cpu),
);

const getNumaNodeId = kernelHelper(42, "Returns the memory node of the CPU.", (regs, env) =>
  setU32(regs, env.services.numaNode),
);

/** Helpers about randomness and the CPU. */
export const cpuHelpers = [getPrandomU32, getSmpProcessorId, getNumaNodeId] as const;
