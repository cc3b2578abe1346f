// One section of the health record, newest first.
import { Link, notFound, useParams } from '@tanstack/react-router';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { usePatient } from '../../session/me';
import { Empty } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { Page } from '../../ui/Page';
import { inWords } from '../../words/codes';
import { Entry } from './Entry';

const SECTIONS: Schemas['Section'][] = [
  'allergies', 'conditions', 'immunizations', 'vital-signs', 'procedures', 'encounters', 'care-plans', 'social-history', 'other-observations', 'care-teams',
];

export function Section() {
  const { t } = useLingui();
  const patient = usePatient();
  const { section: named } = useParams({ strict: false }) as { section: string };
  const section = SECTIONS.find((one) => one === named);
  if (!section) throw notFound();
  const pages = usePages([patient, 'health-record', section], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/health-record', {
      params: { path: { patient }, query: { section, ...(cursor ? { cursor } : {}) } },
    })),
  );
  return (
    <Page title={t`Health record`} heading={inWords(section)} back={<Link to="/health-record"><Trans>Health record</Trans></Link>}>
      <More
        pages={pages}
        entries={(page) => page.entries ?? []}
        empty={<Empty title={<Trans>Nothing recorded here</Trans>}><Trans>When your care team records something, it appears here. If something is missing, tell them.</Trans></Empty>}
      >
        {(all) => <ul className="stack">{all.map((entry) => <li key={entry.id}><Entry section={section} entry={entry} /></li>)}</ul>}
      </More>
    </Page>
  );
}
