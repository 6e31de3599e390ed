import { Gauge, type Registry } from 'prom-client';

export interface PepperMeasure {
  readonly isUnderWay: boolean;
  /** From 0 to 1. */
  readonly progress: number;
  readonly former: number;
  /** Seconds; 0 where it is not known. */
  readonly age: number;
}

/** What is measured of the peppers of lookups, by the one process that looks after them. */
export function createPepperMetrics(registers: Registry[]): (measure: PepperMeasure) => void {
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const underWay = gauge(
    'cognomen_pepper_rotation_under_way',
    '1 while the keys of lookups are hashed with a new pepper, else 0',
  );
  const progress = gauge(
    'cognomen_pepper_rotation_progress',
    'Which part of them is hashed already, from 0 to 1; 0 when no rotation is under way',
  );
  const former = gauge(
    'cognomen_former_peppers',
    'Peppers before the one in force whose hashes are still there: they work, or have ended just now',
  );
  const age = gauge(
    'cognomen_pepper_age_seconds',
    'For how long the pepper of lookups is in force; 0 where that is not known, as nobody has rotated',
  );
  return (measure) => {
    underWay.set(Number(measure.isUnderWay));
    progress.set(measure.progress);
    former.set(measure.former);
    age.set(measure.age);
  };
}
