// Where the app begins: configuration and language, then the first screen.
import './styles/index.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from '@tanstack/react-router';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { i18n } from '@lingui/core';
import { I18nProvider } from '@lingui/react';
import { loadConfig } from './config';
import { useApiAt } from './api/client';
import { Problem } from './api/problem';
import { configureSession, endSession, tidy, wasLeft } from './session/session';
import { preferred, speak } from './words/i18n';
import { router } from './routes';

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // Every read is in the audit log, so nothing is read again that nobody asked for.
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      staleTime: 60_000,
      networkMode: 'always',
      retry: (count, error) => count < 1 && error instanceof Problem && error.status === 503,
      retryDelay: 1000,
    },
    mutations: { networkMode: 'always' },
  },
});

async function start(): Promise<void> {
  const [config] = await Promise.all([loadConfig(), speak(preferred())]);
  configureSession(config);
  useApiAt(config.api);
  // Before anything is shown: a browser brings closed tabs back with all that they kept.
  if (await wasLeft()) return endSession('idle');
  tidy().catch(() => undefined);
  const app = document.getElementById('app');
  if (!app) return;
  createRoot(app, {
    // React would print what a screen held when it failed.
    onCaughtError: () => undefined,
    onUncaughtError: () => undefined,
    onRecoverableError: () => undefined,
  }).render(
    <StrictMode>
      <I18nProvider i18n={i18n}>
        <QueryClientProvider client={queries}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </I18nProvider>
    </StrictMode>,
  );
}

start().catch(() => {
  const message = document.createElement('p');
  message.className = 'dead';
  message.textContent = 'The portal cannot be reached right now. Please try again in a few minutes. / El portal no está disponible en este momento. Inténtelo de nuevo en unos minutos.';
  document.getElementById('app')?.replaceChildren(message);
});
