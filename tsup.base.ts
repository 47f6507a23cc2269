import { defineConfig, type Options } from 'tsup'

/** The build of every library here: ESM for Node 22 and browsers, with declarations and source maps. */
export const library = (
  entry: Record<string, string> = { index: 'src/index.ts' },
): Options[] | Options =>
  defineConfig({
    entry,
    format: ['esm'],
    target: 'node22',
    dts: true,
    clean: true,
    sourcemap: true,
    // `node:sqlite` exists only under its full name.
    removeNodeProtocol: false,
    // Numbers and texts with a name stand where they are used: whoever bundles this cannot put them there any more.
    esbuildOptions: (options) => {
      options.minifySyntax = true
    },
  }) as Options
