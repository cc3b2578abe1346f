// The files of a copy as one.
import { zipSync } from 'fflate';

export async function zip(files: { name: string; content: Blob }[]): Promise<Blob> {
  const bytes = files.map(async ({ name, content }) => [name, new Uint8Array(await content.arrayBuffer())] as const);
  const zipped = new Uint8Array(zipSync(Object.fromEntries(await Promise.all(bytes))));
  return new Blob([zipped], { type: 'application/zip' });
}
