/**
 * Processor time and memory of a runtime's workerd process, from /proc. On systems without /proc both
 * are NaN, and the report shows a dash.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Ticks a second of utime and stime: USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export class RuntimeProcess {
  readonly #pid: number | undefined;

  constructor(pid: number | undefined) {
    this.#pid = pid;
  }

  /** User and system time since the start, in microseconds; steps of 10 ms. */
  processorMicroseconds(): number {
    const fields = statFields(this.#pid);
    // proc_pid_stat(5): utime is field 14, stime 15; the list starts with field 3.
    return fields === undefined ? Number.NaN : ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6;
  }

  /** What its threads of now have used so far, in microseconds, to the nanosecond. NaN where the kernel does not say. */
  threadMicroseconds(): number {
    const threads = `/proc/${this.#pid}/task`;
    try {
      const used = readdirSync(threads).map((thread) => {
        // proc(5), schedstat: nanoseconds on a processor come first.
        return Number(readFileSync(`${threads}/${thread}/schedstat`, 'utf8').split(' ')[0]);
      });
      return used.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1_000;
    } catch {
      return Number.NaN;
    }
  }

  /**
   * How long the main thread has stood in line for a processor since its start, in microseconds: what others on the
   * machine took from it. 0 where the kernel does not say.
   */
  waitedMicroseconds(): number {
    try {
      const [, waited] = readFileSync(`/proc/${this.#pid}/task/${this.#pid}/schedstat`, 'utf8').split(' ');
      return Number(waited) / 1_000;
    } catch {
      return 0;
    }
  }

  residentMegabytes(): number {
    if (this.#pid === undefined) return Number.NaN;
    const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.#pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes) / 1024;
  }
}

/** The fields of /proc/<pid>/stat from the state on. */
function statFields(pid: number | undefined): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
