import { useState } from 'preact/hooks';
import { type Session, sessionOf } from '../session.ts';

export function SignInPage({ notice, onSignIn }: { notice: string | undefined; onSignIn: (session: Session) => void }) {
  const [token, setToken] = useState('');
  const [error, setError] = useState(notice);
  const submit = (event: Event) => {
    event.preventDefault();
    const session = sessionOf(token.trim());
    if (session === undefined)
      setError('This is not a token of Tasklane. One is printed by npm run token -- --role viewer, for the local run.');
    else onSignIn(session);
  };
  return (
    <main class="sign-in">
      <h1>Tasklane</h1>
      <form onSubmit={submit}>
        <label>
          Token
          <input
            type="password"
            autocomplete="off"
            required
            value={token}
            onInput={({ currentTarget }) => setToken(currentTarget.value)}
          />
        </label>
        <p class="quiet">
          <code>npm run token</code> makes one, of a role that sees what you need. It stays in this tab and is forgotten
          when the tab is closed.
        </p>
        {error !== undefined && (
          <p class="notice bad" role="alert">
            {error}
          </p>
        )}
        <button type="submit">Sign in</button>
      </form>
    </main>
  );
}
