// What is wanted once is there once, however often it is sent.
import { useRef } from 'react';
import { newKey } from './client';

/** The `Idempotency-Key` of what a screen sends: the same for the same body, whatever was answered. */
export function useKey(): (body: unknown) => string {
  const key = useRef({ of: '', is: '' });
  return (body) => {
    const of = JSON.stringify(body);
    if (key.current.of !== of) key.current = { of, is: newKey() };
    return key.current.is;
  };
}
