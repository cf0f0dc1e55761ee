/** Bytes of one page of a saved memory. */
const SAVED_PAGE_BYTES = 4096;
const PAGE_WORDS = SAVED_PAGE_BYTES / 4;

/** Stands for every page that holds only zeros, so that untouched memory costs nothing. */
const ZERO_PAGE = new Int32Array(PAGE_WORDS);

/**
 * Copies whole pages, sharing those that are equal to the same page of an earlier copy.
 *
 * @param words - the whole memory.
 * @param start - first address, a multiple of the page size.
 * @param end - one past the last address; rounded up to a page.
 */
export function savePages(
  words: Int32Array,
  start: number,
  end: number,
  earlier: readonly Int32Array[] | undefined,
): Int32Array[] {
  const pages: Int32Array[] = [];
  for (let at = start; at < end; at += SAVED_PAGE_BYTES) {
    const known = earlier?.[pages.length];
    if (known !== undefined && isEqual(words, at / 4, known)) pages.push(known);
    else if (known !== ZERO_PAGE && isEqual(words, at / 4, ZERO_PAGE)) pages.push(ZERO_PAGE);
    else pages.push(words.slice(at / 4, at / 4 + PAGE_WORDS));
  }
  return pages;
}

/** Puts saved pages back. */
export function restorePages(words: Int32Array, start: number, pages: readonly Int32Array[]): void {
  pages.forEach((page, idx) => {
    words.set(page, start / 4 + idx * PAGE_WORDS);
  });
}

function isEqual(words: Int32Array, from: number, page: Int32Array): boolean {
  for (let i = 0; i < PAGE_WORDS; i++) if (words[from + i] !== page[i]) return false;
  return true;
}
