// What the privacy officer has to look into: emergency access, and what patients reported.
import { useState } from 'react';
import { Link } from '@tanstack/react-router';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { Choice } from '../../ui/Choice';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { say } from './codes';
import { operationInWords } from './operations';

export function Concerns() {
  const { t } = useLingui();
  const [state, setState] = useState<'open' | 'resolved'>('open');
  const pages = usePages(['concerns', state], (cursor) => answer(api.GET('/v1/access-concerns', { params: { query: { state, ...(cursor ? { cursor } : {}) } } })));
  return (
    <Page title={t`Concerns`} intro={<Trans>Every emergency access, and every access that a patient reported. What you find out is kept with it.</Trans>}>
      <Choice label={t`Which concerns`} value={state} onChange={setState} options={[['open', say('open')], ['resolved', say('resolved')]]} />
      <More
        pages={pages}
        entries={(page) => page.concerns}
        empty={<Empty title={state === 'open' ? <Trans>Nothing to look into</Trans> : <Trans>Nothing was closed yet</Trans>}><Trans>Emergency access and reports by patients appear here at once.</Trans></Empty>}
      >
        {(all) => (
          <div className="card">
            <ul className="rows">
              {all.map(({ id, kind, reason, access, opened_at, outcome }) => (
                <li key={id}>
                  <Link to="/concerns/$concern" params={{ concern: id }} className="row">
                    <span className="row-main">
                      <span className="row-name">{say(kind)}</span>
                      <span className="hint">{[instant(opened_at), say(reason), access && operationInWords(access.operation)].filter(Boolean).join(' · ')}</span>
                    </span>
                    <span className={`flag ${outcome ? '' : 'note'}`}>{outcome ? say(outcome) : <Trans>Still open</Trans>}</span>
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        )}
      </More>
    </Page>
  );
}
