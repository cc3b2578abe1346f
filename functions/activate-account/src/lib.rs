//! Makes a patient's account, for whoever proves with number, date of birth and code that they
//! are the one the practice gave it to.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::StatusCode;
use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Portal, Role};
use shared::api::account::{ActivateAccount, Activated, KeyedActivation};
use shared::aws::{Aws, Resource};
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::{User, Users, temporary_password};
use shared::phi::{BlindIndex, Opener, Phi, Term};
use shared::serve::Service;
use shared::store::{AccountRow, Accounts, Activation, ActivationRow, Patients};

/// After so many failed attempts a code is dead.
const ATTEMPTS: u64 = 5;

struct Handler {
    accounts: Accounts,
    patients: Patients,
    index: BlindIndex,
    users: Users,
}

impl Change<ActivateAccount> for Handler {
    /// Whatever is wrong, the steps are the same: two MACs, one read, one transaction. So are
    /// then the answer and the time it takes.
    async fn change(
        &self,
        _: &Access<Portal>,
        _: &Opener,
        KeyedActivation {
            activation: input,
            idempotency_key,
        }: KeyedActivation,
    ) -> Result<Changed<Activated>, Problem> {
        let mrn = input.mrn.as_str();
        let proof = Term::Activation {
            mrn,
            birth_date: input.birth_date.as_str(),
            code: input.code.as_str(),
        };
        let (number, proof) =
            tokio::try_join!(self.index.mac(Term::Mrn(mrn)), self.index.mac(proof))?;
        let row = self.accounts.activation(&number).await?;
        let now = Timestamp::now();
        let about = row.activation.as_ref().map(|activation| activation.patient);
        let Some(activation) = proven(&row, &proof, idempotency_key.as_str(), now) else {
            let counted = self.accounts.count_attempt(&number, &row, now)?;
            return Ok(Changed::refused(vec![counted], refused()).about(about));
        };

        let password = temporary_password()?;
        let email = input.email.as_str();
        let (user, row_exists) = match self.users.create(email, &password).await? {
            Some(user) => (user, false),
            None => self.resume(email, &password, activation).await?,
        };
        self.users.add_to_group(&user, Role::Patient).await?;
        let mut writes = vec![
            self.accounts.use_activation(
                &number,
                activation,
                row.attempts,
                user.account,
                idempotency_key.as_str(),
            )?,
            self.patients
                .link_account(activation.patient, user.account)?,
        ];
        if !row_exists {
            let mut account = AccountRow::new(user.account, Role::Patient);
            account.patient = Some(activation.patient);
            writes.push(self.accounts.create(&account)?);
        }
        let answer = Activated {
            username: email.to_owned(),
            temporary_password: password.as_str().to_owned(),
        };
        Ok(Changed::done(writes, Phi::new(answer)).about(about))
    }
}

impl Handler {
    /// There is a user with this address. It is ours to go on with if an earlier try of this very
    /// activation broke off before it was committed, or if its answer was lost; nobody has signed
    /// in as it since.
    async fn resume(
        &self,
        email: &str,
        password: &str,
        activation: &Activation,
    ) -> Result<(User, bool), Problem> {
        let user = self.users.find(email).await?;
        let row = self.accounts.account(user.account).await?;
        let ours = match &row {
            None => true,
            Some(row) => {
                row.patient == Some(activation.patient)
                    && activation
                        .used
                        .as_ref()
                        .is_some_and(|(account, _)| *account == user.account)
            }
        };
        if !ours || !user.waiting {
            return Err(address_taken());
        }
        self.users.renew(&user, password).await?;
        Ok((user, row.is_some()))
    }
}

/// The activation, if this proves it: a code that is not used up (or was by this very request),
/// not expired and not guessed at too often.
fn proven<'a>(
    row: &'a ActivationRow,
    proof: &str,
    idempotency_key: &str,
    now: Timestamp,
) -> Option<&'a Activation> {
    let activation = row.activation.as_ref()?;
    let proves = verify_slices_are_equal(activation.proof.as_bytes(), proof.as_bytes()).is_ok();
    let unused = activation
        .used
        .as_ref()
        .is_none_or(|(_, key)| key == idempotency_key);
    let live = row.attempts < ATTEMPTS && now.as_second() < activation.expires_at;
    (proves && unused && live).then_some(activation)
}

const fn refused() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "activation-refused",
        "These details do not open an account",
        "Check them against the practice's letter. After five tries, or when the code is old, ask \
         the practice for a new one.",
    )
}

const fn address_taken() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "address-taken",
        "There is an account with this e-mail address",
        "Sign in with it, or activate with another address.",
    )
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    let handler = Handler {
        accounts: Accounts::new(aws)?,
        patients: Patients::new(aws)?,
        index: BlindIndex::new(aws.kms().clone(), aws.name(Resource::IndexKey)?),
        users: Users::new(aws)?,
    };
    changes::<ActivateAccount>(aws, handler)
}
