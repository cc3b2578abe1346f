// The sections of the health record and how much is in each.
import { Link } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { Plural, Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { usePatient } from '../../session/me';
import { Loaded } from '../../ui/Loading';
import { Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { inWords } from '../../words/codes';

export function HealthRecord() {
  const { t } = useLingui();
  const patient = usePatient();
  const query = useQuery({
    queryKey: [patient, 'health-record'],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/health-record', { params: { path: { patient } } })),
  });
  return (
    <Page title={t`Health record`} intro={<Trans>What your doctors wrote down about your health. Choose a part to read it.</Trans>}>
      <Loaded query={query} lines={8}>
        {({ sections, record_complete }) => (
          <>
            {!record_complete && <Notice kind="warning"><p><Trans>Your record is being updated. Some entries may be missing for a short time.</Trans></p></Notice>}
            <ul className="tiles">
              {sections.map(({ section, count }) => (
                <li key={section}>
                  <Link to="/health-record/$section" params={{ section }} className="tile">
                    <span className="row-name">{inWords(section)}</span>
                    <span className="hint"><Plural value={count} _0="Nothing recorded" one="# entry" other="# entries" /></span>
                  </Link>
                </li>
              ))}
            </ul>
          </>
        )}
      </Loaded>
    </Page>
  );
}
