/**
 * What a message says. The database writes it in the standard form (`type`, `timestamp`, `data`), which is what the task that
 * delivers it shows; a receiver that asked for CloudEvents 1.0 gets the same in structured mode. Pure.
 */
import * as z from 'zod';
import type { Hook } from './hook.ts';

const EventSchema = z.object({ type: z.string(), timestamp: z.string(), data: z.looseObject({ id: z.string() }) });

export interface WireBody {
  readonly contentType: string;
  readonly text: string;
}

/**
 * @param id of the message
 * @param source of the events: the deployment's address
 * @throws when the text is no event
 */
export function wireBody(format: Hook['format'], text: string, id: string, source: string): WireBody {
  if (format === 'standard') return { contentType: 'application/json', text };
  const { type, timestamp, data } = EventSchema.parse(JSON.parse(text));
  const event = {
    specversion: '1.0',
    id,
    source,
    type,
    time: timestamp,
    subject: data.id,
    datacontenttype: 'application/json',
    data,
  };
  return { contentType: 'application/cloudevents+json; charset=utf-8', text: JSON.stringify(event) };
}
