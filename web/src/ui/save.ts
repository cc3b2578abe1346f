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

/** Saves bytes that came with an answer. */
export function saveBytes(base64: string, type: string, name: string): void {
  saveBlob(new Blob([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], { type }), name);
}

/** Saves a text that came with an answer. */
export function saveText(text: string, type: string, name: string): void {
  saveBlob(new Blob([text], { type }), name);
}
