// Laboratory results that are held back from patients now, what is released soonest first.
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { Facts } from '../../ui/Facts';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Page } from '../../ui/Page';
import { instant } from '../../words/dates';
import { say } from './codes';

export function Holds() {
  const { t } = useLingui();
  const pages = usePages(['lab-holds'], (cursor) => answer(api.GET('/v1/lab-holds', { params: { query: cursor ? { cursor } : {} } })));
  return (
    <Page title={t`Results held back`} intro={<Trans>Results that a care team keeps from a patient for now, what is released soonest first. What the results say is not shown here.</Trans>}>
      <More
        pages={pages}
        entries={(page) => page.holds}
        empty={<Empty title={<Trans>Nothing is held back</Trans>}><Trans>When a provider holds a result back, you see here why and until when.</Trans></Empty>}
      >
        {(all) => (
          <ul className="stack">
            {all.map((one) => (
              <li key={`${one.patient} ${one.result}`}>
                <section className="card">
                  <h2>{say(one.reason)}</h2>
                  <Facts
                    facts={[
                      [<Trans>Held since</Trans>, instant(one.held_at)],
                      [<Trans>Released on</Trans>, instant(one.until)],
                      [<Trans>Held by account</Trans>, <code>{one.held_by}</code>],
                      [<Trans>Patient</Trans>, <code>{one.patient}</code>],
                      [<Trans>Result</Trans>, <code>{one.result}</code>],
                    ]}
                  />
                </section>
              </li>
            ))}
          </ul>
        )}
      </More>
    </Page>
  );
}
