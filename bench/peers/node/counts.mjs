// Numbers of rows, of files and of workers alike.

export const noRows = () => ({ rows_read: 0, rows_written: 0, rows_rejected: 0 });

export function addRows(total, more) {
  for (const key of Object.keys(total)) total[key] += more[key];
}
