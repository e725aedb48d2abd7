/** The other half of the random schedules. */
import { SCHEDULES, trySchedules } from './random-schedules.ts';

trySchedules(SCHEDULES / 2 + 1, SCHEDULES);
