import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// Two also on a machine of two cores: many tests wait for something most of their time.
const maxWorkers = Math.max(2, availableParallelism() - 1)

const conditions = ['@rts/source']

/** What takes longest; the first begin first, so that no worker is left alone with one at the end. */
const SLOW = [
  'examples/arena/test/copy.test.ts',
  'packages/discovery/test/etcd3-comparison.services.test.ts',
  'packages/rpc/test/chaos/soak.services.test.ts',
  'packages/discovery/test/etcd-faults.services.test.ts',
  'packages/discovery/test/etcd-members.services.test.ts',
  'examples/hello-discovery/test/hello-discovery.test.ts',
  'packages/discovery/test/histories.services.test.ts',
  'scripts/test/front-door.test.ts',
  'packages/reload/test/restart-oracle.test.ts',
  'scripts/test/readmes.test.ts',
  'packages/discovery/test/histories.test.ts',
]

/** These hold bounds of milliseconds under load: one file at a time, so that none disturbs another. */
const MEASURED = [
  'bots',
  'browser',
  'cluster',
  'cluster-reload',
  'game-crash',
  'program',
  'reload',
  'reload-page',
].map((name) => `examples/arena/test/${name}.test.ts`)

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = SLOW.findIndex((path) => moduleId.endsWith(path))
      return index < 0 ? SLOW.length : index
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  // Both are needed: the first for bare imports, the second for imports between packages in tests.
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    sequence: { sequencer: SlowFirst },
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
          name: 'examples',
          include: ['examples/*/test/**/*.test.ts'],
          exclude: MEASURED,
          globalSetup: ['scripts/services-setup.ts'],
          testTimeout: 120_000,
          maxWorkers,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: MEASURED,
          globalSetup: ['scripts/services-setup.ts'],
          testTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
