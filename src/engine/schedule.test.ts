import { describe, expect, it } from "vitest";
import { constant, cosine, oneCycle, warmupStableDecay } from "./schedule.js";

/** Rates at steps 1, 2, ... */
const rates = (schedule: (step: number) => number, steps: number) =>
  Array.from({ length: steps }, (_, i) => schedule(i + 1));
const near = (got: number[], expected: number[]) =>
  got.forEach((v, i) => expect(v, `step ${i + 1}`).toBeCloseTo(expected[i], 5));

describe("schedules", () => {
  it("constant rises, then holds", () => {
    near(rates(constant({ peak: 2, warmup: 4 }), 6), [0.5, 1, 1.5, 2, 2, 2]);
    near(rates(constant({ peak: 2 }), 2), [2, 2]);
  });

  it("cosine falls as PyTorch's CosineAnnealingLR, its step 0 being the end of the rise", () => {
    const torch = [2.0, 1.955951, 1.828115, 1.629007, 1.378115, 1.1, 0.8218847, 0.5709933, 0.3718847, 0.2440491, 0.2];
    const schedule = cosine({ peak: 2, warmup: 5, total: 15, floor: 0.1 });
    near(rates(schedule, 15), [0.4, 0.8, 1.2, 1.6, ...torch]);
    expect(schedule(100)).toBeCloseTo(0.2, 6); // beyond the end it stays at the floor
  });

  it("warm-up, stable, decay holds its peak until the last part", () => {
    near(
      rates(warmupStableDecay({ peak: 1, warmup: 2, total: 10, decay: 0.4, floor: 0.2 }), 10),
      [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2],
    );
  });

  it("one cycle climbs from its start to the peak and comes down to nearly nothing", () => {
    const schedule = oneCycle({ peak: 2, total: 10, rise: 0.3 });
    expect(schedule(0)).toBeCloseTo(0.08, 6); // peak / 25
    expect(schedule(3)).toBeCloseTo(2, 6);
    expect(schedule(10)).toBeCloseTo(2e-4, 7);
    // Along a cosine the middle of the way down is the mean of its ends
    expect(schedule(6.5)).toBeCloseTo((2 + 2e-4) / 2, 6);
    const all = rates(schedule, 10);
    all.slice(3).forEach((v, i) => expect(v).toBeLessThan(all[i + 2]));
  });
});
