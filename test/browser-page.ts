/** What the page of browser.test.ts runs. */
import { openWeb } from "../src/web.js";
import { lossCurve } from "./browser-model.js";

const result = (async () => {
  const runtime = await openWeb({ threads: 2, files: "/ort/" });
  return { threads: runtime.threads, isolated: globalThis.crossOriginIsolated, ...(await lossCurve(runtime)) };
})();
(globalThis as unknown as { result: Promise<unknown> }).result = result;
