// Starts what the tests of a vitest project need, unless the runner has done so already. Vitest loads this file without the
// source condition, hence the path.
import { servicesSetup } from '../packages/testing/src/index.ts'

export default servicesSetup(['etcd', 'chromium', 'kcptun'])
