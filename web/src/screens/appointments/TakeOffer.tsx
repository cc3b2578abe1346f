// Booking the time that the waitlist offers.
import { useRef, useState } from 'react';
import { useNavigate } from '@tanstack/react-router';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Trans } from '@lingui/react/macro';
import { answer, api, newKey } from '../../api/client';
import { Button } from '../../ui/Button';
import { Dialog, Leave } from '../../ui/Dialog';
import { TextArea } from '../../ui/Field';
import { Failure } from '../../ui/Notice';
import { inZone } from '../../words/dates';
import type { Slot } from './Slots';

export function TakeOffer({ patient, offer }: { patient: string; offer: Slot }) {
  const [asking, setAsking] = useState(false);
  const [wrong, setWrong] = useState(false);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const key = useRef(newKey());
  const book = useMutation({
    mutationFn: (reason: string) =>
      answer(api.POST('/v1/patients/{patient}/appointments', {
        params: { path: { patient }, header: { 'idempotency-key': key.current } },
        body: { practitioner: offer.practitioner, type: offer.type, start: offer.start, reason },
      })),
    onSuccess: async ({ id }) => {
      // The start page is not to show for a moment what is no longer so.
      queries.removeQueries({ queryKey: [patient, 'dashboard'] });
      await Promise.all(['appointments', 'waitlist'].map((what) => queries.invalidateQueries({ queryKey: [patient, what] })));
      await navigate({ to: '/appointments/$appointment', params: { appointment: id } });
    },
  });
  return (
    <>
      <Button look="main" onClick={() => setAsking(true)}><Trans>Book this time</Trans></Button>
      {asking && (
        <Dialog title={<Trans>Book this time</Trans>} onClose={() => setAsking(false)}>
          <p><strong>{inZone(offer.start, offer.time_zone)}</strong></p>
          {book.error && <Failure error={book.error} />}
          <form
            noValidate
            onSubmit={(event) => {
              event.preventDefault();
              const reason = String(new FormData(event.currentTarget).get('reason') ?? '').replace(/\s+/g, ' ').trim();
              setWrong(!reason);
              if (reason && !book.isPending) book.mutate(reason);
            }}
          >
            <TextArea name="reason" label={<Trans>What is the visit about?</Trans>} maxLength={500} wrong={wrong && <Trans>Write a few words about what the visit is for.</Trans>} required />
            <div className="actions">
              <Button type="submit" look="main" busy={book.isPending && <Trans>Booking…</Trans>}><Trans>Book this visit</Trans></Button>
              <Leave><Trans>Not now</Trans></Leave>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
