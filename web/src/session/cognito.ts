// Signing in with Cognito: SRP, so that the password never leaves the browser.
import { Amplify } from 'aws-amplify';
import * as auth from 'aws-amplify/auth';
import { cognitoUserPoolsTokenProvider } from 'aws-amplify/auth/cognito';
import { ConsoleLogger, sessionStorage } from 'aws-amplify/utils';
import type { Config } from '../config';

let configured = false;

export function configure(config: Config): void {
  if (configured) return;
  configured = true;
  // What it would print may name who signs in.
  ConsoleLogger.LOG_LEVEL = 'NONE';
  Amplify.configure({
    Auth: {
      Cognito: {
        userPoolId: config.userPoolId,
        userPoolClientId: config.userPoolClientId,
        ...(config.signIn ? { userPoolEndpoint: config.signIn } : {}),
      },
    },
  });
  cognitoUserPoolsTokenProvider.setKeyValueStorage(sessionStorage);
}

/** What Cognito wants next. */
export type Step =
  | { step: 'done' }
  | { step: 'code' }
  | { step: 'new-password' }
  | { step: 'set-up'; secret: string; uri: string }
  | { step: 'reset' };

/** What went wrong, as far as it is told. */
export class SignInProblem extends Error {
  override name = 'SignInProblem';
  constructor(readonly kind: 'wrong' | 'code' | 'mailed' | 'weak' | 'expired' | 'wait' | 'offline' | 'other') {
    super(kind);
  }
}

export const signIn = (username: string, password: string): Promise<Step> =>
  attempt(async () => {
    // Tokens of a sign-in that broke off.
    await auth.signOut().catch(() => undefined);
    return stepOf(await auth.signIn({ username, password }), username);
  }, 'wrong');

/** A code, or a new password, whichever was asked for. */
export const confirm = (challengeResponse: string, username: string, kind: 'code' | 'wrong'): Promise<Step> =>
  attempt(async () => stepOf(await auth.confirmSignIn({ challengeResponse }), username), kind);

export const forgot = (username: string): Promise<void> =>
  attempt(async () => {
    await auth.resetPassword({ username });
  }, 'other');

export const reset = (username: string, confirmationCode: string, newPassword: string): Promise<void> =>
  attempt(() => auth.confirmResetPassword({ username, confirmationCode, newPassword }), 'mailed');

/** Whether whoever is signed in has shown that they read mail at their address. */
export const isAddressConfirmed = (): Promise<boolean> =>
  attempt(async () => (await auth.fetchUserAttributes()).email_verified === 'true', 'other');

export const sendAddressCode = (): Promise<void> =>
  attempt(async () => {
    await auth.sendUserAttributeVerificationCode({ userAttributeKey: 'email' });
  }, 'other');

export const confirmAddress = (confirmationCode: string): Promise<void> =>
  attempt(() => auth.confirmUserAttribute({ userAttributeKey: 'email', confirmationCode }), 'mailed');

/** None once Cognito has said that the session is over. */
export async function accessToken(fresh: boolean): Promise<string | undefined> {
  const { tokens } = await auth.fetchAuthSession({ forceRefresh: fresh });
  return tokens?.accessToken.toString();
}

export const signOut = (): Promise<void> => auth.signOut();

function stepOf({ nextStep }: auth.SignInOutput, username: string): Step {
  switch (nextStep.signInStep) {
    case 'DONE':
      return { step: 'done' };
    case 'CONFIRM_SIGN_IN_WITH_TOTP_CODE':
      return { step: 'code' };
    case 'CONFIRM_SIGN_IN_WITH_NEW_PASSWORD_REQUIRED':
      return { step: 'new-password' };
    case 'RESET_PASSWORD':
      return { step: 'reset' };
    case 'CONTINUE_SIGN_IN_WITH_TOTP_SETUP': {
      const { sharedSecret, getSetupUri } = nextStep.totpSetupDetails;
      return { step: 'set-up', secret: sharedSecret, uri: getSetupUri('Patient portal', username).toString() };
    }
    default:
      throw new SignInProblem('other');
  }
}

/** Cognito says the same of a wrong password and of a name that nobody has; so do we. */
async function attempt<T>(work: () => Promise<T>, refused: 'wrong' | 'code' | 'mailed' | 'other'): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SignInProblem) throw error;
    const { name, message } = error as Error;
    if (name === 'InvalidPasswordException') throw new SignInProblem('weak');
    if (name === 'LimitExceededException' || name === 'TooManyRequestsException' || /attempts exceeded/i.test(message)) {
      throw new SignInProblem('wait');
    }
    if (name === 'CodeMismatchException' || name === 'EnableSoftwareTokenMFAException') throw new SignInProblem(refused === 'mailed' ? 'mailed' : 'code');
    if (name === 'ExpiredCodeException') throw new SignInProblem(refused === 'code' || refused === 'mailed' ? refused : 'expired');
    if (name === 'NetworkError' || !navigator.onLine) throw new SignInProblem('offline');
    if (name === 'NotAuthorizedException') {
      throw new SignInProblem(/session|expired/i.test(message) ? 'expired' : refused === 'other' ? 'other' : 'wrong');
    }
    throw new SignInProblem('other');
  }
}
