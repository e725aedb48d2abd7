/**
 * The network as a service of the runtime. Miniflare sends a Worker's global `fetch` through a Worker
 * of its own, which takes a request and its headers apart and puts them together again. Bound directly,
 * the same network is one step away (decision 0033).
 */
import { getCACertificates } from 'node:tls';
import type { LegacyWorkerOptions } from 'miniflare';

/** A service binding in the runtime's words: the network, or a function that stands before it. */
export type NetworkService = NonNullable<LegacyWorkerOptions['serviceBindings']>[string];

/** What Miniflare's own way out reaches in the end, too. Targets are checked before they are called. */
export const NETWORK = {
  network: {
    allow: ['public', 'private', '240.0.0.0/4'],
    deny: [],
    tlsOptions: {
      trustBrowserCas: true,
      // Those of NODE_EXTRA_CA_CERTS; the runtime cannot read the store of Windows.
      trustedCertificates: getCACertificates(process.platform === 'win32' ? 'default' : 'extra'),
    },
  },
};
