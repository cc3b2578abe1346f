// What a patient waits for, and the times that are offered to them.
import { Link } from '@tanstack/react-router';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Trans } from '@lingui/react/macro';
import { answer, api, portalTime, type Schemas } from '../../api/client';
import { usePatient } from '../../session/me';
import { Button } from '../../ui/Button';
import { Facts } from '../../ui/Facts';
import { Empty, Loaded } from '../../ui/Loading';
import { Failure, Notice } from '../../ui/Notice';
import { clinicalDate, instant, inZone, timeOfDay } from '../../words/dates';
import { inWords } from '../../words/codes';
import { specialtyName } from '../../words/specialties';
import { type Provider, providersQuery, typesOf } from './providers';
import { TakeOffer } from './TakeOffer';

type Place = Schemas['Places']['places'][number];

export function Waitlist() {
  const patient = usePatient();
  const providers = useQuery(providersQuery).data ?? [];
  const query = useQuery({
    queryKey: [patient, 'waitlist'],
    queryFn: () => answer(api.GET('/v1/patients/{patient}/waitlist', { params: { path: { patient } } })),
  });
  return (
    <>
      <p><Trans>When a time that suits you becomes free, we keep it for you for up to two hours and send you an e-mail. Then you can book it here.</Trans></p>
      <p><Link to="/appointments/waitlist" className="button"><Trans>Join the waitlist</Trans></Link></p>
      <Loaded query={query}>
        {({ places }) =>
          places.length === 0
            ? <Empty title={<Trans>You are not on the waitlist</Trans>}><Trans>What you wait for appears here, and the times that we offer you.</Trans></Empty>
            : <ul className="stack">{places.map((place) => <li key={place.id}><OnePlace patient={patient} place={place} providers={providers} /></li>)}</ul>}
      </Loaded>
    </>
  );
}

function OnePlace({ patient, place, providers }: { patient: string; place: Place; providers: Provider[] }) {
  const queries = useQueryClient();
  const leave = useMutation({
    mutationFn: () => answer(api.DELETE('/v1/patients/{patient}/waitlist/{place}', { params: { path: { patient, place: place.id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: [patient, 'waitlist'] }),
  });
  const whom = place.practitioner ? providers.find((one) => one.practitioner === place.practitioner)?.name : place.specialty && specialtyName(place.specialty);
  const what = typesOf(providers).get(place.type) ?? place.type;
  const offer = place.offer && Date.parse(place.offer.until) > portalTime() ? place.offer : undefined;
  const until = offer && instant(offer.until);
  return (
    <section className="card">
      <h2>{what}</h2>
      {offer && (
        <Notice kind="good" title={<Trans>A time is free for you</Trans>}>
          <p><strong>{inZone(offer.start, offer.time_zone)}</strong></p>
          <p><Trans>We keep it for you until {until}.</Trans></p>
          <TakeOffer patient={patient} offer={offer} />
        </Notice>
      )}
      <Facts facts={[
        [<Trans>With</Trans>, whom],
        [<Trans>Where</Trans>, inWords(place.modality)],
        [<Trans>From</Trans>, clinicalDate(place.from)],
        [<Trans>To</Trans>, clinicalDate(place.to)],
        [<Trans>Not before</Trans>, place.after && timeOfDay(place.after)],
        [<Trans>Finished by</Trans>, place.before && timeOfDay(place.before)],
        [<Trans>Waiting since</Trans>, instant(place.joined_at)],
      ]} />
      {leave.error && <Failure error={leave.error} onAgain={() => leave.mutate()} />}
      <Button busy={leave.isPending && <Trans>Leaving…</Trans>} onClick={() => leave.mutate()}><Trans>Leave the waitlist</Trans><span className="unseen">: {what}</span></Button>
    </section>
  );
}
