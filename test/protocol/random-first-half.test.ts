/** Half of the random schedules: in two files they take two processors. */
import { trySchedules } from './random-schedules.ts';

trySchedules('first');
