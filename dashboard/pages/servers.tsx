/** Registered servers: how each stands, and taking one out for maintenance. */
import type { z } from 'zod';
import type { ServerListSchema } from '../../producer/schema/server.ts';
import { useLive, useTools } from '../live.ts';
import { call } from '../operation.ts';
import { Act } from '../parts/act.tsx';
import { Fresh, Status } from '../parts/panel.tsx';
import { Scroll } from '../parts/scroll.tsx';
import { Time } from '../parts/time.tsx';
import { underWay } from '../words.ts';

type ServerList = z.infer<typeof ServerListSchema>;
type Server = ServerList['servers'][number];

export function ServersPage() {
  const live = useLive<ServerList>(call('GET /api/servers', {}));
  return <Fresh live={live}>{({ servers }) => <ServerTable servers={servers} onChanged={live.refresh} />}</Fresh>;
}

export function ServerTable({
  servers,
  service,
  onChanged,
}: {
  servers: readonly Server[];
  service?: string;
  onChanged: () => void;
}) {
  const { may } = useTools();
  if (servers.length === 0)
    return (
      <p class="quiet">
        No server is registered{service === undefined ? '' : ' for it, so its tasks wait'}. Start an agent beside a
        backend (<code>npx tasklane-agent</code>), or <code>POST /api/servers</code>: <a href="/docs">try it</a>.
      </p>
    );
  return (
    <Scroll label="Servers">
      <table>
        <thead>
          <tr>
            <th>Server</th>
            <th>State</th>
            <th>Services and circuits</th>
            <th class="number">Calls</th>
            <th>Last contact</th>
            {may('POST /api/servers/:id/maintenance') && <th>Actions</th>}
          </tr>
        </thead>
        <tbody>
          {servers.map((server) => (
            <tr key={server.id}>
              <td>
                <code>{server.id}</code>
                <br />
                <span class="quiet">{server.url}</span>
                {server.isHeartbeatLeader && <span class="quiet"> leads {server.cluster}</span>}
              </td>
              <td>
                <Status status={server.state} />
                {server.why !== undefined && <div class="quiet">{server.why}</div>}
              </td>
              <td>
                {server.services
                  .filter(({ name }) => service === undefined || name === service)
                  .map(({ name, circuit, healthy, why }) => (
                    <div key={name}>
                      {name}: {healthy ? 'healthy' : (why ?? 'not healthy')}, circuit {circuit.state}
                      {circuit.until !== undefined && (
                        <>
                          {' '}
                          until <Time at={circuit.until} />
                        </>
                      )}
                      {circuit.state !== 'closed' && <div class="quiet">{circuit.history.at(-1)?.why}</div>}
                    </div>
                  ))}
              </td>
              <td class="number">
                {server.inFlight} of {server.maxConcurrency}
              </td>
              <td>
                <Time at={server.lastHeardAt} />
              </td>
              {may('POST /api/servers/:id/maintenance') && (
                <td>
                  <Maintenance server={server} onChanged={onChanged} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Maintenance({ server: { id, state, inFlight }, onChanged }: { server: Server; onChanged: () => void }) {
  const isOut = state === 'draining' || state === 'drained';
  return (
    <Act
      label={isOut ? 'Take back' : 'Drain'}
      consequence={
        isOut
          ? `${id} gets new calls again.`
          : `${id} gets no new calls. ${underWay(inFlight)}; then it can be stopped. Its tasks go to other servers, or wait.`
      }
      call={call('POST /api/servers/:id/maintenance', { id })}
      body={{ enabled: !isOut }}
      onDone={onChanged}
    />
  );
}
