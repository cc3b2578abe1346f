import { Trans } from '@lingui/react/macro';

/** The portal's name and sign. */
export const Mark = () => (
  <span className="mark">
    <svg viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M16 8v16M8 16h16" />
    </svg>
    <span><Trans>Patient portal</Trans></span>
  </span>
);
