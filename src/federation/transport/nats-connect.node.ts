/** Connecting to the message server, and the sentence when it refuses: whose end is wrong, and what to do. */
import { connect, type NatsConnection, type NodeConnectionOptions, TimeoutError } from "@nats-io/transport-node";
import { FoehnError } from "../../errors.js";

const TRIES = 4;

/** Tries a server that is slow to answer again: a busy one may not finish a handshake in time. */
export async function connected(servers: string | string[], options: NodeConnectionOptions): Promise<NatsConnection> {
  for (let tries = 1; ; tries++)
    try {
      return await connect(options);
    } catch (cause) {
      if (cause instanceof TimeoutError && tries < TRIES) continue;
      throw new FoehnError(`NATS at ${[servers].flat().join(", ")}: ${refusal(cause)}`, { cause });
    }
}

/** Why a connection was refused, at whose end, and what to do. */
function refusal(cause: unknown): string {
  const words: string[] = [];
  for (let e = cause; e instanceof Error; e = e.cause) words.push(e.message, (e as { code?: string }).code ?? "");
  const all = words.join(" ");
  if (/authorization/i.test(all))
    return "Authorization Violation: the server does not know this credential; ask the hub's owner for a new one, or to load the configuration it is in";
  if (/CERT_NOT_YET_VALID|not yet valid/i.test(all))
    return `the server's certificate is not valid yet by this machine's clock (${new Date().toISOString()}); set the clock`;
  if (/CERT_HAS_EXPIRED|expired/i.test(all))
    return `the server's certificate has expired by this machine's clock (${new Date().toISOString()}); set the clock, or ask the hub's owner for a new certificate`;
  if (/altname|ERR_TLS_CERT/i.test(all))
    return "the server's certificate is for another address; use the address the hub's owner gave, or have the certificate made anew with --address";
  if (/self.signed|unable to (verify|get)|certificate/i.test(all))
    return "the server's certificate is not signed by the authority in this credential; ask the hub's owner for a new credential";
  return `${words[0] || String(cause)}; check the address, the credential and that nats-server runs with -js`;
}
