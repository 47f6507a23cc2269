import { library } from '../../tsup.base.ts'

// The rewriter is a file of its own: it and its parser are loaded when the first hot module is.
export default library({
  index: 'src/index.ts',
  register: 'src/register.ts',
  transform: 'src/transform.ts',
  'transform-worker': 'src/transform-worker.ts',
})
