/** Who is signed in, and where the rest is read. */
import { useState } from 'preact/hooks';
import type { Role } from '../../shared/auth/role.ts';
import { useTools } from '../live.ts';
import { Panel } from '../parts/panel.tsx';
import { areShortcutsOn, ShortcutList, switchShortcuts } from '../parts/shortcuts.tsx';

const RIGHTS: Readonly<Record<Role, string>> = {
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
          As {session.subject}, with the role {session.role}. {RIGHTS[session.role]}
          {session.readsOnly && ' This token only reads.'}
          {session.services !== undefined && ` It is good for ${session.services.join(', ')} alone.`}
        </p>
        <p class="quiet">Colours and contrast follow the settings of your system.</p>
      </Panel>
      <Keyboard />
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

function Keyboard() {
  const [areOn, setOn] = useState(areShortcutsOn);
  const change = (on: boolean) => {
    switchShortcuts(on);
    setOn(on);
  };
  return (
    <Panel title="Keyboard">
      <label class="check">
        <input type="checkbox" checked={areOn} onChange={({ currentTarget }) => change(currentTarget.checked)} />
        Letters lead to pages
      </label>
      <ShortcutList />
    </Panel>
  );
}
