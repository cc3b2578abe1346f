// Screens for what went wrong with a whole screen.
import { Link } from '@tanstack/react-router';
import { Trans, useLingui } from '@lingui/react/macro';
import { Page } from '../ui/Page';
import { Failure } from '../ui/Notice';

export function NotFound() {
  const { t } = useLingui();
  return (
    <Page title={t`This page does not exist`}>
      <p><Trans>The address may have changed.</Trans></p>
      <p><Link to="/" className="button main"><Trans>Go to the start page</Trans></Link></p>
    </Page>
  );
}

/** An address that is a screen of another role. */
export function Foreign() {
  const { t } = useLingui();
  return (
    <Page title={t`This page is not for your account`}>
      <p><Trans>It belongs to another kind of account. Nothing was opened.</Trans></p>
      <p><Link to="/" className="button main"><Trans>Go to the start page</Trans></Link></p>
    </Page>
  );
}

/** A screen that failed: most often, a part of the app that could not be loaded. */
export function Broken({ error }: { error: unknown }) {
  const { t } = useLingui();
  return (
    <Page title={t`This page could not be shown`}>
      <Failure error={error} onAgain={() => location.reload()} />
      <p><a href="/" className="button"><Trans>Go to the start page</Trans></a></p>
    </Page>
  );
}
