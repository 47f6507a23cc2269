// Starts what the tests of a vitest project need, unless the runner has done so already.
import { servicesSetup } from '@rts/testing'

export default servicesSetup(['etcd', 'chromium'])
