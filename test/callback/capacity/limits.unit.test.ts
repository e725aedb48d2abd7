import { describe, expect, it } from 'vitest';
import { limitsInForce } from '../../../callback/capacity/limits.ts';
import { restoreServices, snapshotServices } from '../../../callback/registry/snapshot.ts';
import { deleteService, noteLimited, putService, resume, setPaused } from '../../../callback/services/services.ts';
import { Fleet } from '../registry/fleet.ts';

const OCR = { baseUrl: 'https://ocr.example.net', requestsPerSecond: 100, maxConcurrency: 40 };

function resumed(definition: object = OCR) {
  const fleet = new Fleet();
  putService(fleet.registry, 'ocr', definition);
  setPaused(fleet.registry, 'ocr', {});
  expect(resume(fleet.registry, 'ocr', 100, fleet.now)).toMatchObject({ ok: true });
  return fleet;
}

const rateAfter = (fleet: Fleet, seconds: number) =>
  limitsInForce(fleet.registry, 'ocr', fleet.now + seconds * 1000)?.requestsPerSecond;

describe('a service that is resumed with a ramp', () => {
  it('starts one call a second, ten in the middle, and all that its limit allows at the end', () => {
    const fleet = resumed();
    expect(rateAfter(fleet, 0)).toBe(1);
    expect(rateAfter(fleet, 50)).toBeCloseTo(10);
    expect(rateAfter(fleet, 99.999)).toBeCloseTo(100, 1);
    expect(rateAfter(fleet, 100)).toBe(100);
    expect(limitsInForce(fleet.registry, 'ocr', fleet.now)?.maxConcurrency).toBe(40);
  });

  it('is asked for by consumers while the ramp lasts, although it has no limits', () => {
    const fleet = resumed({ baseUrl: 'https://ocr.example.net' });
    expect(fleet.registry.catalog.limited.has('ocr')).toBe(true);
    noteLimited(fleet.registry, fleet.now + 100_000);
    expect(fleet.registry.catalog.limited.has('ocr')).toBe(false);
    expect(rateAfter(fleet, 100)).toBeUndefined();
  });

  it('goes on with its ramp after a restart of the registry', () => {
    const fleet = resumed();
    const other = new Fleet();
    restoreServices(other.registry, snapshotServices(fleet.registry), fleet.now);
    expect(other.registry.catalog.ramps.get('ocr')).toEqual({ since: fleet.now, seconds: 100 });
  });

  it.each([
    ['paused', (fleet: Fleet) => setPaused(fleet.registry, 'ocr', {})],
    ['deleted', (fleet: Fleet) => deleteService(fleet.registry, 'ocr', true, 0, fleet.now)],
  ])('has no ramp any more when it is %s', (_, act) => {
    const fleet = resumed();
    act(fleet);
    expect(fleet.registry.catalog.ramps.size).toBe(0);
  });
});
