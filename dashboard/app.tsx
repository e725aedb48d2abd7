/** The frame around the pages: who is signed in, and the way from one page to another. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { rightTo } from '../producer/access.ts';
import { apiFor } from './api.ts';
import { askAgain, type Tools, ToolsContext } from './live.ts';
import { AlertsPage } from './pages/alerts.tsx';
import { AuditPage } from './pages/audit.tsx';
import { FlowsPage } from './pages/flows.tsx';
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
import { menuOf, type PageName, pageOf, seesPage } from './pages.ts';
import { Shortcuts } from './parts/shortcuts.tsx';
import { link, type PageAddress, usePlace } from './route.ts';
import { forgetSession, type Session, storedSession, storeSession } from './session.ts';

const SHOWN: Readonly<Record<PageName, (place: PageAddress) => preact.ComponentChildren>> = {
  overview: () => <OverviewPage />,
  tasks: ({ query }) => <TasksPage query={query} />,
  task: ({ name = '' }) => <TaskPage id={name} />,
  groups: ({ query }) => <GroupsPage query={query} />,
  flows: ({ query }) => <FlowsPage query={query} />,
  redrive: ({ query }) => <RedrivePage key={query.toString()} query={query} />,
  service: ({ name = '' }) => <ServicePage name={name} />,
  servers: () => <ServersPage />,
  keys: () => <KeysPage />,
  schedules: () => <SchedulesPage />,
  stores: () => <StoresPage />,
  alerts: () => <AlertsPage />,
  audit: ({ query }) => <AuditPage query={query} />,
  settings: () => <SettingsPage />,
};

/** For how long it is said what came of an act. */
const SAID_MS = 8_000;

export function App() {
  const [session, setSession] = useState<Session | undefined>(storedSession);
  const [notice, setNotice] = useState<string>();
  const [outage, setOutage] = useState<string>();
  const [said, setSaid] = useState<{ readonly text: string }>();
  useEffect(() => {
    const timer = setTimeout(() => setSaid(undefined), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const signOut = (why?: string) => {
    forgetSession();
    setNotice(why);
    setOutage(undefined);
    setSession(undefined);
  };
  const tools = useMemo<Tools | undefined>(
    () =>
      session && {
        session,
        api: apiFor(session.token, { onSignedOut: signOut, onOutage: setOutage }),
        may: (operation) => rightTo(operation, session).ok,
        say: (text) => setSaid({ text }),
      },
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
      <Frame session={session} outage={outage} onSignOut={() => signOut()} />
      <p class="said" role="status">
        {said?.text}
      </p>
    </ToolsContext.Provider>
  );
}

interface FrameProps {
  readonly session: Session;
  readonly outage: string | undefined;
  readonly onSignOut: () => void;
}

function Frame({ session, outage, onSignOut }: FrameProps) {
  const place = usePlace();
  const menu = menuOf(session);
  const page = pageOf(place.page === '' ? (menu[0]?.name ?? '') : place.page);
  const title = page === undefined ? 'There is no such page' : page.title;
  const heading = page?.isNamed && place.name !== undefined ? `${title} ${place.name}` : title;
  const main = useRef<HTMLElement>(null);
  const nav = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${heading} · Tasklane`;
    // On a phone the pages stand in one row, which is moved.
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' });
    // Whoever follows a link with the keyboard goes on in the new page.
    if (!isFirst.current && !place.query.has('find')) main.current?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [heading]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <strong>Tasklane</strong>
        <nav ref={nav} aria-label="Pages">
          {menu.map(({ name, title: text }) => (
            <a key={name} href={link(name)} aria-current={page?.name === name ? 'page' : undefined}>
              {text}
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
      {outage !== undefined && (
        <p class="notice bad outage" role="alert">
          {outage} What is shown may be old; it is asked for again by itself.{' '}
          <button type="button" class="plain" onClick={askAgain}>
            Try again
          </button>
        </p>
      )}
      <main id="content" ref={main} tabIndex={-1}>
        <h1>{heading}</h1>
        {page === undefined ? (
          <p>The pages that you see stand in the menu above.</p>
        ) : seesPage(page.name, session) ? (
          SHOWN[page.name](place)
        ) : (
          <p>Your token does not allow to see this page. Sign out, and in again with one of an admin or a viewer.</p>
        )}
      </main>
      <Shortcuts />
    </>
  );
}
