/** What a person sees while a command works, and what a program reads: progress and words on standard error, JSON on standard output. */

export interface Output {
  /** A line for a person. */
  say(text: string): void;
  /** Replaces the line before it on a terminal; at most one a second elsewhere. */
  progress(text: string): void;
  /** Ends a progress line. */
  done(): void;
  /** The command's result: as JSON where asked for, else the text. */
  result(value: unknown, text?: string): void;
}

export interface OutputOptions {
  json?: boolean;
  quiet?: boolean;
}

export function output({ json = false, quiet = false }: OutputOptions): Output {
  const terminal = process.stderr.isTTY;
  let open = false;
  let last = 0;
  const end = () => {
    if (open) process.stderr.write("\n");
    open = false;
  };
  return {
    say(text) {
      end();
      if (!quiet) process.stderr.write(`${text}\n`);
    },
    progress(text) {
      if (quiet) return;
      const now = performance.now();
      if (terminal) {
        if (now - last < 100) return;
        process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 100) - 1)}`);
        open = true;
      } else {
        if (now - last < 5000) return; // a log file wants few lines
        process.stderr.write(`${text}\n`);
      }
      last = now;
    },
    done: end,
    result(value, text) {
      end();
      if (json) process.stdout.write(`${JSON.stringify(value, null, 1)}\n`);
      else if (text !== undefined) process.stdout.write(`${text}\n`);
    },
  };
}

/** `1 h 02 min`, `3 min 20 s`, `12 s`. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s >= 3600) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  if (s >= 60) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  return `${s} s`;
}

/** `[#####.....]` */
export const bar = (part: number, width = 20): string => `[${"#".repeat(Math.round(part * width)).padEnd(width, ".")}]`;

/** Seconds left at the speed so far. */
export const timeLeft = (began: number, part: number): string =>
  part > 0.01 ? duration(((performance.now() - began) / 1000) * (1 / part - 1)) : "...";
