import { library } from '../../tsup.base.ts'

// The thread that reads a flooded port is a file of its own.
export default library({
  index: 'src/index.ts',
  simulator: 'src/simulator.ts',
  'scrubber-thread': 'src/socket/flood/scrubber-thread.ts',
})
