/**
 * A list of numbers, as long as a file has lines: 8 bytes for each, apart from what the garbage collector walks over
 * and copies.
 */
export class NumberList {
  #numbers = new Float64Array(8);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(number: number): void {
    if (this.#length === this.#numbers.length) {
      const more = new Float64Array(2 * this.#length);
      more.set(this.#numbers);
      this.#numbers = more;
    }
    this.#numbers[this.#length] = number;
    this.#length += 1;
  }

  /** The number at a place, from 0; undefined where there is none. */
  at(place: number): number | undefined {
    return place < this.#length ? this.#numbers[place] : undefined;
  }
}
