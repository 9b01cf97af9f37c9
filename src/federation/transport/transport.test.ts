import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { natsServerBinary, startNatsServer, type TestServer } from "../testing/nats-server.node.js";
import { localBus } from "./local.js";
import { natsTransport } from "./nats.node.js";
import { Conflict, type Transport } from "./transport.js";

/** What both message systems must do. */
function suite(connect: () => Promise<Transport>): void {
  let a: Transport;
  let b: Transport;
  beforeAll(async () => {
    a = await connect();
    b = await connect();
  });
  afterAll(() => Promise.all([a.close(), b.close()]));

  it("compare-and-set: one of two writers wins", async () => {
    const { state } = a;
    expect(await state.get("k")).toBeUndefined();
    const first = await state.update("k", "1", 0);
    await expect(b.state.update("k", "2", 0)).rejects.toBeInstanceOf(Conflict);
    const second = await b.state.update("k", "2", first);
    await expect(state.update("k", "3", first)).rejects.toThrow(/written by somebody else/);
    expect(await state.get("k")).toEqual({ value: "2", revision: second });
    await state.put("x.one", "1");
    await state.put("x.two", "2");
    expect((await state.keys("x.")).sort()).toEqual(["x.one", "x.two"]);
  });

  it("waits for a key to change", async () => {
    const revision = await a.state.put("w", "1");
    expect(await b.state.wait("w", revision, 50)).toBeUndefined();
    const waiting = b.state.wait("w", revision, 5000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await a.state.put("w", "2");
    expect((await waiting)?.value).toBe("2");
    expect((await b.state.wait("w", 0, 50))?.value).toBe("2");
  });

  it("keeps objects of any size, replaces and removes them, and refuses one too large unread", async () => {
    for (const size of [0, 3, 1_300_000]) {
      const bytes = new Uint8Array(size).map((_, i) => i % 251);
      await a.objects.put(`site.a.${size}`, bytes);
      expect(Buffer.compare((await b.objects.get(`site.a.${size}`, 2_000_000))!, bytes)).toBe(0);
    }
    await expect(b.objects.get("site.a.1300000", 1000)).rejects.toThrow(/1300000 bytes, more than the 1000/);
    await a.objects.put("site.a.3", Uint8Array.of(9));
    expect([...(await b.objects.get("site.a.3", 10))!]).toEqual([9]);
    await a.objects.remove("site.a.3");
    expect(await b.objects.get("site.a.3", 10)).toBeUndefined();
  });

  it("reads events in order from any place, and one id once", async () => {
    for (const i of [1, 2, 2, 3]) await a.events.publish(`update.s${i}`, `${i}`, `id ${i}`);
    const all = await b.events.read(0, { limit: 10, milliseconds: 2000 });
    while (all.length < 3) all.push(...(await b.events.read(all.at(-1)!.sequence, { limit: 10, milliseconds: 2000 })));
    expect(all.map(({ subject, payload }) => [subject, payload])).toEqual([
      ["update.s1", "1"],
      ["update.s2", "2"],
      ["update.s3", "3"],
    ]);
    expect((await b.events.read(all[0].sequence, { limit: 1, milliseconds: 100 }))[0].payload).toBe("2");
    expect(await b.events.read(all[2].sequence, { limit: 10, milliseconds: 30 })).toEqual([]);
    const waiting = b.events.read(all[2].sequence, { limit: 10, milliseconds: 5000 });
    await a.events.publish("update.s4", "4", "id 4");
    expect((await waiting).map(({ payload }) => payload)).toEqual(["4"]);
    expect(a.traffic().sent).toBeGreaterThan(1_300_000);
  });
}

describe("in one process", () => {
  const bus = localBus();
  suite(async () => bus.connect());
});

describe.skipIf(!natsServerBinary())("over NATS JetStream (needs nats-server: apt-get install nats-server)", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startNatsServer();
    await (await natsTransport({ servers: server.url, run: "t", role: "hub" })).close();
  });
  afterAll(() => server.stop());
  suite(() => natsTransport({ servers: server.url, run: "t", role: "hub" }));

  it("waits out a server that was killed, and finds what was acknowledged", async () => {
    const hub = await natsTransport({ servers: server.url, run: "u", role: "hub" });
    const revision = await hub.state.put("k", "1");
    for (let i = 0; i < 5; i++) await hub.events.publish("update.a", `${i}`, `${i}`);
    const events = await hub.events.read(0, { limit: 2, milliseconds: 1000 });
    await server.kill();
    const writing = hub.state.update("k", "2", revision);
    const publishing = hub.events.publish("update.a", "5", "5");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await server.restart();
    await Promise.all([writing, publishing]);
    expect((await hub.state.get("k"))?.value).toBe("2");
    while (events.length < 6)
      events.push(...(await hub.events.read(events.at(-1)!.sequence, { limit: 9, milliseconds: 500 })));
    expect(events.map(({ payload }) => payload)).toEqual(["0", "1", "2", "3", "4", "5"]);
    await hub.close();
  });

  it("says where it sought a server that is not there", async () => {
    await expect(natsTransport({ servers: "nats://127.0.0.1:9", run: "t", role: "hub" })).rejects.toThrow(
      /127\.0\.0\.1:9/,
    );
  });
});
