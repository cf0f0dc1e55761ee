export { interpreter } from "./engine.ts";
