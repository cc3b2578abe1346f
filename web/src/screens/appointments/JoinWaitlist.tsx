// Taking a place on the waitlist.
import { Link, useNavigate } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { answer, api } from '../../api/client';
import { useKey } from '../../api/key';
import { usePatient } from '../../session/me';
import { TextField } from '../../ui/Field';
import { Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { Page } from '../../ui/Page';
import { providersQuery } from './providers';
import { Search } from './Search';
import type { Wanted } from './Slots';

export function JoinWaitlist() {
  const { t } = useLingui();
  const patient = usePatient();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const providers = useQuery(providersQuery);
  const keyOf = useKey();
  const join = useMutation({
    mutationFn: ({ wanted, after, before }: { wanted: Wanted; after: string; before: string }) => {
      const { provider, specialty, ...rest } = wanted;
      const body = { ...rest, ...(provider ? { practitioner: provider } : { specialty: specialty ?? '' }), ...(after && { after }), ...(before && { before }) };
      return answer(api.POST('/v1/patients/{patient}/waitlist', { params: { path: { patient }, header: { 'idempotency-key': keyOf(body) } }, body }));
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [patient, 'waitlist'] });
      await navigate({ to: '/appointments', search: { shown: 'waitlist' } });
    },
  });
  return (
    <Page
      title={t`Join the waitlist`}
      back={<Link to="/appointments"><Trans>All visits</Trans></Link>}
      intro={<Trans>Tell us what would suit you, up to 90 days ahead. We offer you a time as soon as one is free.</Trans>}
    >
      {join.error && <Failure error={join.error} />}
      <Loaded query={providers} lines={5}>
        {(all) => all.length === 0
          ? <Notice><p><Trans>No provider takes bookings here yet. Call the practice to plan a visit.</Trans></p></Notice>
          : (
            <Search
              providers={all}
              days={90}
              submit={<Trans>Join the waitlist</Trans>}
              busy={join.isPending && <Trans>Joining…</Trans>}
              onSearch={(wanted, form) => join.mutate({ wanted, after: String(form.get('after') ?? ''), before: String(form.get('before') ?? '') })}
            >
              <TextField name="after" type="time" step={300} label={<Trans>Not before (if it matters)</Trans>} />
              <TextField name="before" type="time" step={300} label={<Trans>Finished by (if it matters)</Trans>} />
            </Search>
          )}
      </Loaded>
    </Page>
  );
}
