import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Two also on a machine of two cores: many tests wait for something most of their time.
const maxWorkers = Math.max(2, availableParallelism() - 1)

const conditions = ['@rts/source']

export default defineConfig({
  // Both are needed: the first for bare imports, the second for imports between packages in tests.
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts', 'scripts/test/*.test.ts'],
          exclude: ['**/*.services.test.ts'],
          testTimeout: 30_000,
          maxWorkers,
        },
      },
      {
        extends: true,
        test: {
          name: 'services',
          include: ['packages/*/test/**/*.services.test.ts'],
          globalSetup: ['scripts/services-setup.ts'],
          testTimeout: 90_000,
          maxWorkers,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['examples/*/test/**/*.test.ts'],
          globalSetup: ['scripts/services-setup.ts'],
          testTimeout: 120_000,
          // They measure latency: one file at a time, so that none disturbs another.
          fileParallelism: false,
        },
      },
    ],
  },
})
