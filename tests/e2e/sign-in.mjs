// Signs a demo account in and prints its access token: node sign-in.mjs <e-mail address>.

process.env.PORTAL_HOME ??= new URL('../../.portal', import.meta.url).pathname;
const { accounts, code, newBrowser } = await import('./portal.mjs');
const { confirmSignIn, fetchAuthSession, signIn } = await import('aws-amplify/auth');

const account = accounts.find((one) => one.email === process.argv[2]);
if (!account) {
  console.error(`which one? ${accounts.map((one) => one.email).join(', ')}`);
  process.exit(1);
}
newBrowser();
await signIn({ username: account.email, password: account.password });
await confirmSignIn({ challengeResponse: await code(account.totp_secret) });
const { tokens } = await fetchAuthSession();
console.log(tokens.accessToken.toString());
process.exit(0);
