// A ZIP file of a few files, each under 4 GB (APPNOTE.TXT 6.3.10). The browser itself does the work: what
// it makes as gzip has the deflated bytes, their CRC-32 and their length.

const GZIP = { header: 10, trailer: 8 };
/** Names are UTF-8. */
const UTF8 = 0x0800;
const DEFLATED = 8;
const VERSION = 20;
/** The first of January 1980: when a file was made says the copy itself. */
const DATE = 0x21;

/** Numbers of two or four bytes, the least significant first. */
function fields(...each: [bytes: 2 | 4, value: number][]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(each.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of each) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  return new Uint8Array(view.buffer);
}

export async function zip(files: { name: string; content: Blob }[]): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  const length = (some: Uint8Array[]) => some.reduce((sum, part) => sum + part.length, 0);
  for (const { name, content } of files) {
    const gzip = await new Response(content.stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
    // Browsers write no optional fields: then the header has its shortest length.
    if (new Uint8Array(gzip)[3] !== 0) throw new Error('gzip with optional fields');
    const deflated = new Uint8Array(gzip, GZIP.header, gzip.byteLength - GZIP.header - GZIP.trailer);
    const crc = new DataView(gzip).getUint32(gzip.byteLength - GZIP.trailer, true);
    const called = new TextEncoder().encode(name);
    const described = fields(
      [2, VERSION], [2, UTF8], [2, DEFLATED], [2, 0], [2, DATE], [4, crc], [4, deflated.length], [4, content.size],
      [2, called.length], [2, 0],
    );
    const offset = length(parts);
    parts.push(fields([4, 0x04034b50]), described, called, deflated);
    directory.push(fields([4, 0x02014b50], [2, VERSION]), described, fields([2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), called);
  }
  const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, length(directory)], [4, length(parts)], [2, 0]);
  return new Blob([...parts, ...directory, end], { type: 'application/zip' });
}
