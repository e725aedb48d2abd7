/** Modules that export whatever the plan binds, and do nothing: for deploys of which only the calls matter. */
import { readPlan } from '../../deploy/plan/plan-files.ts';
import type { WorkerConfig } from '../../deploy/plan/wrangler-file.ts';
import type { Upload, Uploads } from '../../deploy/upload/build-uploads.ts';

export function hollowUploads(): Uploads {
  const { producer, callback, consumers } = readPlan({ shards: 1 });
  const workers = [producer, callback, ...consumers];
  const upload = (worker: WorkerConfig | undefined): Upload => {
    const entrypoints = workers.flatMap(({ services }) =>
      services.filter(({ service }) => service === worker?.name).flatMap(({ entrypoint }) => entrypoint ?? []),
    );
    const classes = worker?.durable_objects.bindings.map(({ class_name }) => class_name) ?? [];
    const lines = [...new Set([...entrypoints, ...classes])].map((name) => `export class ${name} {}`);
    const file = new File([['export default {};', ...lines].join('\n')], 'index.js', {
      type: 'application/javascript+module',
    });
    return { mainModule: 'index.js', files: [{ name: 'index.js', file }], hash: worker?.name ?? '' };
  };
  return { producer: upload(producer), callback: upload(callback), consumer: upload(consumers[0]) };
}
