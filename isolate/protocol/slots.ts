// Things under way by number. A Map to which entries come and go makes a new table every few entries, and each outgrown
// table keeps what it held until the next full collection; slots of an array are used again and hold on to nothing.

const slotBits = 16;
const slotMask = (1 << slotBits) - 1;
// Numbers stay below 2 ** 31, so that an Int32Array holds them.
const generationMask = 0x7fff;

/** Values under the numbers that another side's `Slots` gave them. */
export class SlotTable<Value> {
  readonly #ids: number[] = [];
  readonly #values: (Value | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many slots were ever in use at once. */
  protected get slots(): number {
    return this.#values.length;
  }

  /** The number that was last under this slot; 0 if none was. */
  protected lastId(slot: number): number {
    return this.#ids[slot] ?? 0;
  }

  put(id: number, value: Value): void {
    const slot = id & slotMask;
    // Without holes, which would make the arrays slow.
    while (this.#values.length <= slot) {
      this.#ids.push(0);
      this.#values.push(undefined);
    }
    if (this.#values[slot] === undefined) this.#size++;
    this.#ids[slot] = id;
    this.#values[slot] = value;
  }

  get(id: number): Value | undefined {
    const slot = id & slotMask;
    return this.#ids[slot] === id ? this.#values[slot] : undefined;
  }

  /** Whether there was such a value. */
  delete(id: number): boolean {
    if (this.get(id) === undefined) return false;
    this.#values[id & slotMask] = undefined;
    this.#size--;
    return true;
  }

  *values(): Generator<Value> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }
}

/** Up to 65,536 values at once. A number is not given again before its slot was used 32,767 times; none is 0. */
export class Slots<Value> extends SlotTable<Value> {
  readonly #free: number[] = [];

  /** Keeps the value, and answers its number. @throws {RangeError} when all slots are taken. */
  add(value: Value): number {
    const slot = this.#free.pop() ?? this.slots;
    if (slot > slotMask) throw new RangeError(`More than ${slotMask + 1} are under way at once`);
    const generation = (this.lastId(slot) >>> slotBits) + 1 & generationMask || 1;
    const id = generation << slotBits | slot;
    this.put(id, value);
    return id;
  }

  override delete(id: number): boolean {
    if (!super.delete(id)) return false;
    this.#free.push(id & slotMask);
    return true;
  }
}
