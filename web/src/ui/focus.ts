// The focus when what had it goes away: it stays near, and is not lost to the whole page.

function on(node: HTMLElement | null): void {
  if (!node) return;
  node.tabIndex = -1;
  node.focus();
}

/** As long as what is returned is not called, what is within `root` and has the focus leaves it to
 * the heading of `root` when it goes away. */
export function keepFocus(root: HTMLElement): () => void {
  let held: Element | null = null;
  const note = () => { held = document.activeElement; };
  if (root.contains(document.activeElement)) note();
  const watch = new MutationObserver(() => {
    if (held && !held.isConnected && document.activeElement === document.body) on(root.querySelector('h2'));
  });
  root.addEventListener('focusin', note);
  watch.observe(root, { childList: true, subtree: true });
  return () => {
    root.removeEventListener('focusin', note);
    watch.disconnect();
  };
}

/** Gives the focus back to what had it before; to the screen's heading if that is gone, or goes
 * with what was just done. */
export function giveBack(before: Element | null): void {
  const top = () => on(document.querySelector<HTMLElement>('dialog[open] h2') ?? document.querySelector('h1'));
  if (!(before instanceof HTMLElement)) return;
  if (!before.isConnected) return top();
  before.focus();
  const watch = new MutationObserver(() => {
    if (before.isConnected && document.activeElement === before) return;
    watch.disconnect();
    if (!before.isConnected && document.activeElement === document.body) top();
  });
  watch.observe(document.body, { childList: true, subtree: true });
}
