// Beginning a conversation.
import { Link, useNavigate } from '@tanstack/react-router';
import { useQueryClient } from '@tanstack/react-query';
import { Trans, useLingui } from '@lingui/react/macro';
import { usePatient } from '../../session/me';
import { useMailbox } from '../../session/messaging';
import { Page } from '../../ui/Page';
import { Compose } from './Compose';
import { Emergency, Mail } from './mailbox';

export function NewThread() {
  const { t } = useLingui();
  const patient = usePatient();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { messages } = useMailbox();
  return (
    <Mail>
      <Page title={t`Write a message`} back={<Link to="/messages"><Trans>All messages</Trans></Link>}>
        <Emergency patient={patient} />
        <Compose
          patient={patient}
          send={async ({ category, subject, text, attachments }, outbox) => {
            const thread = await messages.start(patient, category, subject, { text, attachments }, outbox);
            // A list that was asked for before is without it.
            await queries.cancelQueries({ queryKey: [patient, 'threads'] });
            await queries.invalidateQueries({ queryKey: [patient, 'threads'] });
            await navigate({ to: '/messages/$thread', params: { thread }, replace: true });
          }}
        />
      </Page>
    </Mail>
  );
}
