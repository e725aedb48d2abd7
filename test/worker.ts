/** The Worker of tests inside workerd: nothing but the Durable Objects that they bind. */
export { KeyPool } from '../consumer/keys/key-pool.ts';

export default {};
