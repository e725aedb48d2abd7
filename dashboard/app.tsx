/** The frame around the pages: who is signed in, and the way from one page to another. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ROLES, type Role } from '../shared/auth/role.ts';
import { apiFor } from './api.ts';
import { ToolsContext } from './live.ts';
import { AlertsPage } from './pages/alerts.tsx';
import { AuditPage } from './pages/audit.tsx';
import { GroupsPage } from './pages/groups.tsx';
import { KeysPage } from './pages/keys.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { RedrivePage } from './pages/redrive.tsx';
import { SchedulesPage } from './pages/schedules.tsx';
import { ServersPage } from './pages/servers.tsx';
import { ServicePage } from './pages/service.tsx';
import { SettingsPage } from './pages/settings.tsx';
import { SignInPage } from './pages/sign-in.tsx';
import { StoresPage } from './pages/stores.tsx';
import { TaskPage } from './pages/task.tsx';
import { TasksPage } from './pages/tasks.tsx';
import { link, type PageAddress, usePlace } from './route.ts';
import { forgetSession, type Session, storedSession, storeSession } from './session.ts';

interface Page {
  readonly title: string;
  readonly roles: readonly Role[];
  readonly show: (place: PageAddress) => preact.ComponentChildren;
  /** Reached from another page, not from the navigation. */
  readonly isDetail?: boolean;
  /** What it is about stands in its title. */
  readonly isNamed?: boolean;
}

const WATCHERS: readonly Role[] = ['admin', 'viewer'];
const READERS: readonly Role[] = ['admin', 'viewer', 'client'];

const PAGES: Readonly<Record<string, Page>> = {
  overview: { title: 'Overview', roles: WATCHERS, show: () => <OverviewPage /> },
  tasks: { title: 'Tasks', roles: READERS, show: ({ query }) => <TasksPage query={query} /> },
  task: { title: 'Task', roles: READERS, show: ({ name = '' }) => <TaskPage id={name} />, isDetail: true },
  groups: { title: 'Groups', roles: READERS, show: ({ query }) => <GroupsPage query={query} /> },
  redrive: { title: 'Redrive', roles: READERS, show: ({ query }) => <RedrivePage query={query} /> },
  service: {
    title: 'Service',
    roles: WATCHERS,
    show: ({ name = '' }) => <ServicePage name={name} />,
    isDetail: true,
    isNamed: true,
  },
  servers: { title: 'Servers', roles: ['admin', 'viewer', 'server'], show: () => <ServersPage /> },
  keys: { title: 'Keys', roles: WATCHERS, show: () => <KeysPage /> },
  schedules: { title: 'Schedules', roles: READERS, show: () => <SchedulesPage /> },
  stores: { title: 'Stores', roles: WATCHERS, show: () => <StoresPage /> },
  alerts: { title: 'Alerts', roles: WATCHERS, show: () => <AlertsPage /> },
  audit: { title: 'Audit', roles: WATCHERS, show: ({ query }) => <AuditPage query={query} /> },
  settings: { title: 'Settings', roles: ROLES, show: () => <SettingsPage /> },
};

export function App() {
  const [session, setSession] = useState<Session | undefined>(storedSession);
  const [notice, setNotice] = useState<string>();
  const signOut = (why?: string) => {
    forgetSession();
    setNotice(why);
    setSession(undefined);
  };
  const tools = useMemo(
    () => (session === undefined ? undefined : { session, api: apiFor(session.token, signOut) }),
    [session],
  );
  if (session === undefined || tools === undefined) {
    const signIn = (next: Session) => {
      storeSession(next);
      setNotice(undefined);
      setSession(next);
    };
    return <SignInPage notice={notice} onSignIn={signIn} />;
  }
  return (
    <ToolsContext.Provider value={tools}>
      <Frame session={session} onSignOut={() => signOut()} />
    </ToolsContext.Provider>
  );
}

function Frame({ session, onSignOut }: { session: Session; onSignOut: () => void }) {
  const place = usePlace();
  const mine = Object.entries(PAGES).filter(([, { roles }]) => roles.includes(session.role));
  const [first] = mine;
  const page = mine.find(([name]) => name === place.page)?.[1] ?? first?.[1];
  const nav = useRef<HTMLElement>(null);
  // On a phone the pages stand in one row, which is moved.
  useEffect(() => {
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' });
  }, [place.page]);
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <header class="top">
        <strong>Tasklane</strong>
        <nav ref={nav} aria-label="Pages">
          {mine
            .filter(([, { isDetail }]) => !isDetail)
            .map(([name, { title }]) => (
              <a key={name} href={link(name)} aria-current={place.page === name ? 'page' : undefined}>
                {title}
              </a>
            ))}
        </nav>
        <span class="who">
          {session.subject} ({session.role}){' '}
          <button type="button" class="plain" onClick={onSignOut}>
            Sign out
          </button>
        </span>
      </header>
      <main id="content" tabIndex={-1}>
        <h1>
          {page === undefined ? 'Nothing here' : page.title}
          {page?.isNamed && ` ${place.name ?? ''}`}
        </h1>
        {page === undefined ? <p>This role has no page here.</p> : page.show(place)}
      </main>
    </>
  );
}
