// An export of the audit log: its parts one after another, each checked against its digests.
import { answer, api, type Schemas } from '../../api/client';

export type Format = Schemas['AuditFormat'];
type Verification = Schemas['Verification'];

/** What was saved is not what was exported. */
export class Altered extends Error {
  override name = 'Altered';
}

/** What proves a saved export unchanged: the digest of the file, and what the portal said of each part. */
export interface Proof {
  format: Format;
  file_sha256: string;
  parts: Verification[];
}

export interface Whole {
  content: string;
  proof: Proof;
  records: number;
  sha256: string;
}

const hex = (bytes: ArrayBuffer): string => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
const digest = async (bytes: BufferSource): Promise<string> => hex(await crypto.subtle.digest('SHA-256', bytes));
const sha256 = (text: string): Promise<string> => digest(new TextEncoder().encode(text));

const counted = (parts: Verification[]): number => parts.reduce((count, { records }) => count + records.length, 0);
const lastOf = (parts: Verification[]): string => parts.at(-1)?.export_sha256 ?? '';

/** The records' digests make those of the parts, each with that of the part before. */
async function checkChain(parts: Verification[]): Promise<void> {
  let before: string[] = [];
  for (const { records, export_sha256 } of parts) {
    const lines = [...before, ...records.map((record) => record.sha256)];
    if ((await sha256(lines.map((line) => `${line}\n`).join(''))) !== export_sha256) throw new Altered();
    before = [export_sha256];
  }
}

/** Each line is the record of which there is a digest. */
async function checkLines(content: string, digests: string[]): Promise<void> {
  const lines = content.split('\n').slice(0, -1);
  const found = await Promise.all(lines.map(sha256));
  if (found.length !== digests.length || found.some((one, at) => one !== digests[at])) throw new Altered();
}

/** Takes all parts. `onPart` is told how many records there are so far. */
export async function exportAll(body: Parameters<typeof send>[0], onPart: (records: number) => void, signal: AbortSignal): Promise<Whole> {
  const contents: string[] = [];
  const parts: Verification[] = [];
  let cursor: string | null | undefined;
  do {
    signal.throwIfAborted();
    const part = await send({ ...body, ...(cursor ? { cursor } : {}) });
    if ((await sha256(part.content)) !== part.verification.content_sha256) throw new Altered();
    if (body.format === 'json-lines') await checkLines(part.content, part.verification.records.map((record) => record.sha256));
    contents.push(part.content);
    parts.push(part.verification);
    onPart(counted(parts));
    cursor = part.next_cursor;
  } while (cursor);
  signal.throwIfAborted();
  await checkChain(parts);
  const content = contents.join('');
  return { content, proof: { format: body.format, file_sha256: await sha256(content), parts }, records: counted(parts), sha256: lastOf(parts) };
}

const send = (body: NonNullable<Parameters<typeof post>[0]>) => answer(post(body));
const post = (body: { format: Format; from: string; to: string; cursor?: string; patient?: string; actor?: string; action?: string; outcome?: string }) => api.POST('/v1/audit/export', { body });

const DIGEST = /^[0-9a-f]{64}$/;
const isDigest = (value: unknown): boolean => typeof value === 'string' && DIGEST.test(value);

/** A proof as it was saved; anything else is none. */
function proofIn(text: string): Proof {
  let found: Partial<Proof> | null;
  try {
    found = JSON.parse(text) as Partial<Proof> | null;
  } catch {
    throw new Altered();
  }
  const parts = Array.isArray(found?.parts) ? found.parts : [];
  const whole = parts.length > 0 && parts.every((part) => isDigest(part?.export_sha256) && Array.isArray(part.records) && part.records.every((record) => isDigest(record?.sha256)));
  if (!whole || !isDigest(found?.file_sha256) || (found?.format !== 'csv' && found?.format !== 'json-lines')) throw new Altered();
  return found as Proof;
}

/** Checks a saved export against its proof: how many records there are, and the digest of them all. */
export async function checkSaved(file: Blob, proofFile: Blob): Promise<{ records: number; sha256: string }> {
  const proof = proofIn(await proofFile.text());
  if ((await digest(await file.arrayBuffer())) !== proof.file_sha256) throw new Altered();
  await checkChain(proof.parts);
  if (proof.format === 'json-lines') await checkLines(await file.text(), proof.parts.flatMap(({ records }) => records.map((record) => record.sha256)));
  return { records: counted(proof.parts), sha256: lastOf(proof.parts) };
}
