/** The Worker of tests inside workerd: nothing but the Durable Objects that they bind. */
export { ServerRegistry } from '../callback/registry/server-registry.ts';
export { KeyPool } from '../consumer/keys/pool/key-pool.ts';

export default {};
