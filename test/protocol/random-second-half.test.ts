/** The other half of the random schedules. */
import { trySchedules } from './random-schedules.ts';

trySchedules('second');
