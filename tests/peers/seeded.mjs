// A stream of bytes that is the same every time, for vectors.

import { getAddress, keccak256, toHex } from "viem";

/** keccak256(seed ‖ counter), word by word. */
export class Seeded {
  #seed;
  #counter = 0;

  constructor(seed) {
    this.#seed = seed;
  }

  /** 32 bytes as 0x hex. */
  word() {
    return keccak256(toHex(`${this.#seed}/${this.#counter++}`));
  }

  address() {
    return getAddress(`0x${this.word().slice(26)}`);
  }

  /** Of 1 to `bits` bits, so that small and large values both come. */
  integer(bits) {
    const width = 1n + (BigInt(this.word()) % BigInt(bits));
    return BigInt(this.word()) & ((1n << width) - 1n);
  }
}
