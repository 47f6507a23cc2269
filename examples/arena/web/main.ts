import { ArenaPage } from './arena-page.ts'
import { showMenus } from './menus.ts'

const page = new ArenaPage()
Object.defineProperty(window, 'arena', { get: () => page.probe() })
showMenus()
page.start()
