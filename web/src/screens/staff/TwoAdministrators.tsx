import { Trans } from '@lingui/react/macro';
import { Notice } from '../../ui/Notice';

/** The roles of the practice. */
export const ROLES = ['provider', 'admin', 'privacy-officer'] as const;

/** Says which roles one administrator does not give alone. */
export function TwoAdministrators({ role }: { role: string }) {
  if (role !== 'admin' && role !== 'privacy-officer') return null;
  return (
    <Notice kind="warning" title={<Trans>This takes two administrators</Trans>}>
      <p><Trans>Where the practice has two, nothing happens until another one sends the same within seven days.</Trans></p>
    </Notice>
  );
}
