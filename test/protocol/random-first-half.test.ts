/** Half of the random schedules: in two files they take two processors. */
import { SCHEDULES, trySchedules } from './random-schedules.ts';

trySchedules(1, SCHEDULES / 2);
