import { keep, scope } from '@rts/reload'

class Greeter {
  #count = 0

  greet(): string {
    this.#count += 1
    return `hello ${this.#count}`
  }
}

export const greeter = keep('greeter', () => new Greeter())

scope.setInterval(() => console.log(greeter.greet()), 200, 'greet')
