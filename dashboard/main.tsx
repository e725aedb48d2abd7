/** The dashboard: sign in with a token, then pages that read the API and act through it. */
import { render } from 'preact';
import { App } from './app.tsx';
import './style/page.css';
import './style/parts.css';
import './style/phone.css';

const root = document.querySelector('#app');
if (root !== null) render(<App />, root);
