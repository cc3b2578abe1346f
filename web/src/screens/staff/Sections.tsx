// The health record by section.
import { Link, notFound } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { answer, api, type Schemas } from '../../api/client';
import { Empty, Loaded } from '../../ui/Loading';
import { More, usePages } from '../../ui/More';
import { inWords } from '../../words/codes';
import { Entry } from '../record/Entry';
import { Record, useRecord } from './Record';

const SECTIONS: Schemas['Section'][] = [
  'allergies', 'conditions', 'immunizations', 'vital-signs', 'procedures', 'encounters', 'care-plans', 'social-history', 'other-observations', 'care-teams',
];

export function Sections() {
  const { t } = useLingui();
  return <Record title={t`Health record`}><Counted /></Record>;
}

function Counted() {
  const { patient } = useRecord();
  const query = useQuery({
    queryKey: [patient, 'health-record'],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/health-record', { params: { path: { patient } } })),
  });
  return (
    <Loaded query={query} lines={8}>
      {({ sections }) => (
        <ul className="tiles">
          {sections.map(({ section, count }) => (
            <li key={section}>
              <Link to="/patients/$patient/health-record/$section" params={{ patient, section }} className="tile">
                <span className="row-name">{inWords(section)}</span>
                <span className="hint"><Plural value={count} _0="Nothing recorded" one="# entry" other="# entries" /></span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Loaded>
  );
}

export function Entries() {
  const { patient, section: named } = useRecord();
  const section = SECTIONS.find((one) => one === named);
  if (!section) throw notFound();
  return (
    <Record title={inWords(section)} back={<Link to="/patients/$patient/health-record" params={{ patient }}><Trans>Health record</Trans></Link>}>
      <Listed section={section} />
    </Record>
  );
}

function Listed({ section }: { section: Schemas['Section'] }) {
  const { patient } = useRecord();
  const pages = usePages([patient, 'health-record', section], (cursor) =>
    answer(api.GET('/v1/patients/{patient}/health-record', { params: { path: { patient }, query: { section, ...(cursor ? { cursor } : {}) } } })),
  );
  return (
    <More pages={pages} entries={(page) => page.entries ?? []} empty={<Empty title={<Trans>None recorded</Trans>} />}>
      {(all) => <ul className="stack">{all.map((entry) => <li key={entry.id}><Entry section={section} entry={entry} /></li>)}</ul>}
    </More>
  );
}
