/** What tests need root for: a network of its own that can be cut, a disk that is soon full. */
import { execFileSync } from "node:child_process";

const sh = (command: string): string =>
  execFileSync("sh", ["-c", command], { stdio: ["ignore", "pipe", "pipe"] }).toString();

/** Whether a command of root's works here. */
export function works(command: string): boolean {
  try {
    sh(command);
    return true;
  } catch {
    return false; // not root, or a container without the right: the test says that it skips
  }
}

export interface CutNetwork {
  /** Address of this side and of the inside. */
  readonly outside: string;
  /** Runs inside: put before a command. */
  readonly enter: readonly string[];
  cut(): void;
  mend(): void;
  remove(): void;
}

/** A network namespace joined to this one by a cable. */
export function cutNetwork(name: string, net = 199): CutNetwork {
  const [outer, inner] = [`${name}-o`, `${name}-i`];
  const outside = `10.${net}.7.1`;
  sh(`ip netns add ${name}`);
  try {
    sh(`ip link add ${outer} type veth peer name ${inner} && ip link set ${inner} netns ${name}`);
    sh(`ip addr add ${outside}/24 dev ${outer} && ip link set ${outer} up`);
    sh(
      `ip netns exec ${name} sh -c "ip addr add 10.${net}.7.2/24 dev ${inner} && ip link set ${inner} up && ip link set lo up"`,
    );
  } catch (error) {
    sh(`ip netns del ${name}`);
    throw error;
  }
  return {
    outside,
    enter: ["ip", "netns", "exec", name],
    cut: () => void sh(`ip link set ${outer} down`),
    mend: () => void sh(`ip link set ${outer} up`),
    remove: () => void sh(`ip link del ${outer}; ip netns del ${name}`),
  };
}

/** A disk of so many kilobytes at `folder`; returns how to take it away. */
export function smallDisk(
  folder: string,
  kilobytes: number,
): { grow: (kilobytes: number) => void; remove: () => void } {
  sh(`mount -t tmpfs -o size=${kilobytes}k tmpfs ${folder}`);
  return {
    grow: (k) => void sh(`mount -o remount,size=${k}k ${folder}`),
    remove: () => void sh(`umount -l ${folder}`),
  };
}

export const NETWORKS = "ip netns add foehn-can && ip netns del foehn-can";
export const MOUNTS = "d=$(mktemp -d) && mount -t tmpfs -o size=64k tmpfs $d && umount $d";
