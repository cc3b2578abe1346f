import type { ButtonHTMLAttributes, ReactNode } from 'react';

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** One main button on a screen. */
  look?: 'main' | 'plain' | 'quiet' | 'danger';
  /** What it says while its work is under way; it then takes no clicks, and keeps the focus. */
  busy?: ReactNode;
}

export function Button({ look = 'plain', busy, className = '', children, onClick, type = 'button', ...rest }: Props) {
  return (
    <button
      {...rest}
      type={type}
      className={`button ${look} ${className}`}
      aria-disabled={busy ? true : undefined}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {busy || children}
    </button>
  );
}
