import { useQuery } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { Facts } from '../../ui/Facts';
import { Loaded } from '../../ui/Loading';
import { addressLines } from '../../words/address';
import { clinicalDate } from '../../words/dates';
import { inWords } from '../../words/codes';
import { Record, useRecord } from './Record';

/** Who the patient is and how to reach them. */
export function Person() {
  const { t } = useLingui();
  return <Record title={t`Profile`}><Known /></Record>;
}

function Known() {
  const { patient } = useRecord();
  const query = useQuery({
    queryKey: [patient, 'profile'],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/profile', { params: { path: { patient } } })),
  });
  return (
    <Loaded query={query} lines={6}>
      {({ name, birth_date, gender, mrn, contact: { phone, email, address }, preferred_language, notifications, set_by_patient }) => (
        <>
          <section className="card" aria-labelledby="who">
            <h2 id="who"><Trans>Who this is</Trans></h2>
            <Facts facts={[[<Trans>Name</Trans>, name], [<Trans>Date of birth</Trans>, clinicalDate(birth_date)], [<Trans>Gender</Trans>, inWords(gender)], [<Trans>Record number</Trans>, mrn], [<Trans>Language</Trans>, preferred_language?.name]]} />
          </section>
          <section className="card" aria-labelledby="reach">
            <h2 id="reach"><Trans>How to reach them</Trans></h2>
            <Facts
              facts={[
                [<Trans>Phone</Trans>, phone],
                [<Trans>E-mail</Trans>, email],
                [<Trans>Address</Trans>, addressLines(address).join(', ')],
                [<Trans>Told about visits by</Trans>, inWords(notifications.appointments)],
                [<Trans>Told about messages by</Trans>, inWords(notifications.messages)],
              ]}
            />
            {set_by_patient.length > 0 && <p className="hint"><Trans>The patient changed some of this. What they say goes before what the practice had.</Trans></p>}
          </section>
        </>
      )}
    </Loaded>
  );
}
