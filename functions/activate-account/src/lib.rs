//! Makes a patient's account, for whoever proves with number, date of birth and code that they
//! are the one the practice gave it to.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::StatusCode;
use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Portal, Role};
use shared::activation::{child, is_for_parents};
use shared::api::account::{ActivateAccount, Activated, KeyedActivation};
use shared::aws::{Aws, Resource};
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::{User, Users, temporary_password};
use shared::ids::{AccountId, PatientId};
use shared::phi::{BlindIndex, Opener, Phi, Term};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{AccountRow, Accounts, Activation, Patients, Write};

struct Handler {
    accounts: Accounts,
    patients: Patients,
    index: BlindIndex,
    users: Users,
    practice: Practice,
}

impl Change<ActivateAccount> for Handler {
    /// Whatever is wrong, the steps are the same: two MACs, one attempt taken, one record. So are
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
        let (mrn, email, key) = (
            input.mrn.as_str(),
            input.email.as_str(),
            idempotency_key.as_str(),
        );
        let proof = Term::Activation {
            mrn,
            birth_date: input.birth_date.as_str(),
            code: input.code.as_str(),
        };
        let (number, proof) =
            tokio::try_join!(self.index.mac(Term::Mrn(mrn)), self.index.mac(proof))?;
        let now = Timestamp::now();
        let row = self.accounts.take_attempt(&number, now).await?;
        let activation = row.and_then(|row| row.activation);
        let about = activation.as_ref().map(|activation| activation.patient);
        let Some(activation) = activation.filter(|one| proven(one, &proof, now)) else {
            return Ok(Changed::refused(Vec::new(), refused()).about(about));
        };
        if is_for_parents(&self.practice, input.birth_date.as_str(), now) {
            return Ok(Changed::refused(Vec::new(), child()).about(about));
        }

        let password = temporary_password()?;
        let found = match &activation.used {
            None => {
                let patient = activation.patient;
                self.make(email, &password, &number, patient).await?
            }
            Some((account, used_by)) if used_by == key => {
                self.made_before(email, *account, &password).await?
            }
            Some(_) => Found::Nobody,
        };
        let (user, is_new) = match found {
            Found::New(user) => (user, true),
            Found::Same(user) => (user, false),
            Found::SomebodyElse => {
                return Ok(Changed::refused(Vec::new(), address_taken()).about(about));
            }
            Found::Nobody => return Ok(Changed::refused(Vec::new(), refused()).about(about)),
        };
        self.users.add_to_group(&user, Role::Patient).await?;
        let mut writes = vec![
            Write {
                // Another try was faster, so the code is a used one.
                conflict: refused(),
                ..self
                    .accounts
                    .use_activation(&number, &activation, user.account, key)?
            },
            Write {
                conflict: account_exists(),
                ..self
                    .patients
                    .link_account(activation.patient, user.account)?
            },
        ];
        if is_new {
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

/// The user behind an activation.
enum Found {
    /// They have no account row yet.
    New(User),
    /// They have one: an earlier try of the same request made them, and its answer got lost; or an
    /// earlier letter did, and they never signed in.
    Same(User),
    /// The address belongs to somebody else.
    SomebodyElse,
    Nobody,
}

impl Handler {
    /// Makes the user, or goes on with the one that an earlier try of this patient's activation
    /// made before it broke off, or that a former letter made and whose first password ran out. Their
    /// origin says so; nobody else's user is ever taken over.
    async fn make(
        &self,
        email: &str,
        password: &str,
        number: &str,
        patient: PatientId,
    ) -> Result<Found, Problem> {
        if let Some(user) = self.users.create(email, password, number).await? {
            return Ok(Found::New(user));
        }
        let Some(user) = self.users.find(email).await? else {
            return Ok(Found::SomebodyElse);
        };
        let ours = user.origin.as_deref() == Some(number) && user.waiting;
        if !ours {
            return Ok(Found::SomebodyElse);
        }
        let found = match self.accounts.account(user.account).await? {
            None => Found::New(user.clone()),
            Some(row) if row.acts_as(Role::Patient) && row.patient == Some(patient) => {
                Found::Same(user.clone())
            }
            Some(_) => return Ok(Found::SomebodyElse),
        };
        self.users.renew(&user, password).await?;
        Ok(found)
    }

    /// The user that this very request made before, as long as nobody has signed in as them.
    async fn made_before(
        &self,
        email: &str,
        account: AccountId,
        password: &str,
    ) -> Result<Found, Problem> {
        let user = self.users.find(email).await?;
        let Some(user) = user.filter(|user| user.account == account && user.waiting) else {
            return Ok(Found::Nobody);
        };
        self.users.renew(&user, password).await?;
        Ok(Found::Same(user))
    }
}

/// Is this the code, and still good?
fn proven(activation: &Activation, proof: &str, now: Timestamp) -> bool {
    let proves = verify_slices_are_equal(activation.proof.as_bytes(), proof.as_bytes()).is_ok();
    proves && now.as_second() < activation.expires_at
}

const fn refused() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "activation-refused",
        "These details do not open an account",
        "Check them against the practice's letter. If you have set the account up already, sign in. \
         After five tries, or when the code is old, ask \
         the practice for a new one.",
    )
}

/// Said to whoever proved with a code that is good and unused that they are the patient; with which
/// address the account was made is not said.
const fn account_exists() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "account-exists",
        "There is an account for this record already",
        "Sign in with the address that it was made with. If you do not know it, ask the practice.",
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
        practice: aws.practice().clone(),
    };
    changes::<ActivateAccount>(aws, handler)
}
