// Loaded before `openapi-typescript`, which prints types with the compiler's API: the compiler of this project
// (TypeScript 7) has none, so `typescript` means the last one that has.
import { registerHooks } from 'node:module';

registerHooks({
  resolve: (specifier, context, next) => next(specifier === 'typescript' ? 'typescript-5' : specifier, context),
});
