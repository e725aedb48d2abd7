/** Who is signed in, and where the rest is read. */
import { useTools } from '../live.ts';
import { Panel } from '../parts/panel.tsx';

const RIGHTS: Readonly<Record<string, string>> = {
  admin: 'You see everything and may change it.',
  viewer: 'You see everything and change nothing.',
  client: 'You see your own tasks, and may cancel or repeat them.',
  server: 'You see your own servers.',
};

export function SettingsPage() {
  const { session } = useTools();
  return (
    <>
      <Panel title="Signed in">
        <p>
          As {session.subject}, with the role {session.role}. {RIGHTS[session.role] ?? ''}
        </p>
        <p class="quiet">Colours and contrast follow the settings of your system.</p>
      </Panel>
      <Panel title="Read and call">
        <ul>
          <li>
            <a href="/docs">The API, with requests that can be sent</a>
          </li>
          <li>
            <a href="/openapi.json">The API document</a>
          </li>
          <li>
            <code>GET /metrics</code> for Prometheus, with a token of role viewer
          </li>
        </ul>
      </Panel>
    </>
  );
}
