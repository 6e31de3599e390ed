/** Milliseconds between two attempts to tell a homeserver something, at most; also where it asks for more itself. */
export const LONGEST_WAIT = 60 * 60 * 1000;

/** The clocks of processes on one database may differ by so much. */
const SKEW = 5 * 60 * 1000;

/** What is due later than that was put off by a clock that has stepped back since: it is due now. */
export const latestDue = (now: number): number => now + LONGEST_WAIT + SKEW;
