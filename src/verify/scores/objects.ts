/** Connected areas above a threshold: how many, how large, where. What SAL and object counts are made from. */

export interface FieldObject {
  readonly cells: number;
  /** Sum of the field over it. */
  readonly amount: number;
  readonly largest: number;
  /** Centre of mass, in cells. */
  readonly row: number;
  readonly column: number;
}

/** Objects of cells that touch by a side or a corner, largest amount first. Missing cells are outside. */
export function fieldObjects(field: ArrayLike<number>, columns: number, threshold: number): FieldObject[] {
  const rows = field.length / columns;
  const seen = new Uint8Array(field.length);
  const objects: FieldObject[] = [];
  for (let start = 0; start < field.length; start++) {
    if (seen[start] || !(field[start] > threshold)) continue;
    const stack = [start];
    seen[start] = 1;
    let [cells, amount, largest, row, column] = [0, 0, -Infinity, 0, 0];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const [i, j] = [Math.floor(at / columns), at % columns];
      cells++;
      amount += field[at];
      largest = Math.max(largest, field[at]);
      row += i * field[at];
      column += j * field[at];
      for (let di = -1; di <= 1; di++)
        for (let dj = -1; dj <= 1; dj++) {
          const [ni, nj] = [i + di, j + dj];
          const next = ni * columns + nj;
          if (ni < 0 || ni >= rows || nj < 0 || nj >= columns || seen[next] || !(field[next] > threshold)) continue;
          seen[next] = 1;
          stack.push(next);
        }
    }
    objects.push({ cells, amount, largest, row: row / amount, column: column / amount });
  }
  return objects.sort((a, b) => b.amount - a.amount);
}
