/** A transport on which messages are doubled and out of order, as after reconnections: for tests. */
import type { Transport } from "../transport/transport.js";

/** Every event is published twice under ids of its own, and held back so that later ones overtake it. */
export function disturbed(transport: Transport, delays: readonly number[]): Transport {
  let count = 0;
  return {
    ...transport,
    events: {
      ...transport.events,
      async publish(subject, payload, id) {
        const turn = count++;
        const send = async (copy: number): Promise<void> => {
          await new Promise((resolve) => setTimeout(resolve, delays[(2 * turn + copy) % delays.length]));
          await transport.events.publish(subject, payload, `${id} copy ${copy}`);
        };
        await Promise.all([send(0), send(1)]);
      },
    },
  };
}

/** Every event comes again, after a time in milliseconds, under an id of its own. */
export function repeated(transport: Transport, later: number): Transport {
  return {
    ...transport,
    events: {
      ...transport.events,
      async publish(subject, payload, id) {
        await transport.events.publish(subject, payload, id);
        setTimeout(() => void transport.events.publish(subject, payload, `${id} again`), later);
      },
    },
  };
}
