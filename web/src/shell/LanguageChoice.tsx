import { useState } from 'react';
import { useLingui } from '@lingui/react/macro';
import { choose, LANGUAGES, type Language } from '../words/i18n';

/** One button for each other language, in that language. */
export function LanguageChoice() {
  const { i18n } = useLingui();
  const [busy, setBusy] = useState(false);
  const others = (Object.keys(LANGUAGES) as Language[]).filter((one) => one !== i18n.locale);
  return others.map((one) => (
    <button
      key={one}
      type="button"
      className="button quiet"
      lang={one}
      aria-disabled={busy}
      onClick={() => {
        setBusy(true);
        void choose(one).finally(() => setBusy(false));
      }}
    >
      {LANGUAGES[one]}
    </button>
  ));
}
