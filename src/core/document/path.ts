/**
 * Where a part of a value is: keys of maps and places in lists, from the root on. In a list of items with a
 * merge key a text names the item with that key.
 */
export type DocumentPath = readonly (string | number)[]
