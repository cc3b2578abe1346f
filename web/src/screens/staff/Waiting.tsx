// Who waits for an earlier time with the provider.
import { Link } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Page } from '../../ui/Page';
import { clinicalDate, inZone, timeOfDay } from '../../words/dates';
import { inWords } from '../../words/codes';
import { unslug } from '../../words/specialties';
import { availabilityQuery } from './availability';

export function Waiting() {
  const { t } = useLingui();
  const pages = usePages(['waiting'], (cursor) => answer(api.GET('/v1/waitlist', { params: { query: cursor ? { cursor } : {} } })));
  const rules = useQuery(availabilityQuery).data?.value.availability;
  const kinds = new Map(rules?.appointment_types.map(({ code, name }) => [code, name]));
  return (
    <Page title={t`Waitlist`} intro={<Trans>Who waits for a time with you, in turn. What becomes free is offered to them by itself.</Trans>}>
      <More
        pages={pages}
        entries={(page) => page.waiting}
        empty={<Empty title={<Trans>Nobody is waiting</Trans>}><Trans>Patients who look for another time appear here.</Trans></Empty>}
      >
        {(all) => (
          <div className="card">
            <ul className="rows">
              {all.map((one) => {
                const [from, to] = [clinicalDate(one.from), clinicalDate(one.to)];
                const [after, before] = [one.after && timeOfDay(one.after), one.before && timeOfDay(one.before)];
                const offered = one.offer && inZone(one.offer.start, one.offer.time_zone);
                return (
                  <li key={one.id}>
                    <Link to="/patients/$patient" params={{ patient: one.patient }} className="row">
                      <span className="row-main">
                        <span className="row-name">{one.name}</span>
                        <span>{[kinds.get(one.type) ?? unslug(one.type), inWords(one.modality)].filter(Boolean).join(' · ')}</span>
                        <span className="hint">
                          <Trans>Between {from} and {to}</Trans>
                          {after && <> · <Trans>not before {after}</Trans></>}
                          {before && <> · <Trans>not after {before}</Trans></>}
                        </span>
                      </span>
                      {offered && <span className="flag good"><Trans>Offered</Trans></span>}
                      {offered && <span className="hint">{offered}</span>}
                    </Link>
                  </li>
                );
              })}
            </ul>
          </div>
        )}
      </More>
    </Page>
  );
}
