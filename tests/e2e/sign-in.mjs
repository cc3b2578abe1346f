// Signs a demo account in and prints its access token: node sign-in.mjs <e-mail address>.

process.env.PORTAL_HOME ??= new URL('../../.portal', import.meta.url).pathname;
const { accounts, signedIn } = await import('./portal.mjs');

const account = accounts.find((one) => one.email === process.argv[2]);
if (!account) {
  console.error(`which one? ${accounts.map((one) => one.email).join(', ')}`);
  process.exit(1);
}
console.log(await signedIn(account));
process.exit(0);
