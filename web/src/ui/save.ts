// Files that are saved, and never shown in the page.

/** How long a browser may take to begin with a file that the page has. */
const PATIENCE = 60_000;

/** Follows a link that answers with an attachment. */
export function save(url: string, name?: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.rel = 'noopener noreferrer';
  if (name) link.download = name;
  link.click();
}

/** Saves what the page has made. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  save(url, name);
  setTimeout(() => URL.revokeObjectURL(url), PATIENCE);
}

/** How files end that programs show and do not run. */
const ENDINGS = new Map([
  ['application/pdf', 'pdf'],
  ['application/dicom', 'dcm'],
  ['image/jpeg', 'jpg'],
  ['image/png', 'png'],
  ['image/gif', 'gif'],
  ['image/tiff', 'tif'],
  ['text/plain', 'txt'],
]);

/** What no file's name may have, and what would show it otherwise than it is. */
const UNNAMED = /[<>:"/\\|?*\p{C}]/gu;

/** Saves bytes that came with an answer, under the name that somebody elsewhere gave them. */
export function saveBytes(base64: string, type: string, title: string): void {
  const kind = type.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const ending = ENDINGS.get(kind);
  const name = title.replace(UNNAMED, ' ').trim().slice(0, 120) || 'document';
  const full = ending && name.toLowerCase().endsWith(`.${ending}`) ? name : `${name}.${ending ?? 'bin'}`;
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  saveBlob(new Blob([bytes], { type: ending ? kind : 'application/octet-stream' }), full);
}

/** Saves a text that came with an answer. */
export function saveText(text: string, type: string, name: string): void {
  saveBlob(new Blob([text], { type }), name);
}
