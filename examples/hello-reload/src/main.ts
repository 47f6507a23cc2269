// `pnpm start`, then edit greeter.ts and save: the count goes on, the greeting is new.
import { registeredReloader, watch } from '@rts/reload'
import { greeter } from './greeter.ts'

const reloader = registeredReloader()
if (reloader === undefined) throw new Error('start with --import @rts/reload/register')

watch(reloader, {
  onReload: ({ ok, version, failure, warnings, applyMs }) => {
    if (ok) console.log(`version ${version} after ${applyMs.toFixed(1)} ms`)
    else console.log(`not reloaded: ${failure?.message}`)
    for (const { file, line, message } of warnings) console.log(`  ${file}:${line} ${message}`)
  },
})
console.log(greeter.greet())
