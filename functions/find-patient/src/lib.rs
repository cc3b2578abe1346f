//! Finds a patient by medical record number, or by birth date and family name.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::Operation;
use shared::api::search::{FindPatient, Found, FoundPatient, Search};
use shared::aws::{Aws, Resource};
use shared::http::{Change, Changed, Problem, changes};
use shared::names::FamilyName;
use shared::phi::{BlindIndex, Opener};
use shared::serve::Service;
use shared::store::{Accounts, Allowance, Panel, Patients, Sought, Turn};

/// How often an account may search: more than anybody needs at a desk, and far too seldom to try
/// names out.
const ALLOWANCE: Allowance = Allowance {
    requests: 30,
    window: 600,
};

/// And in half a day: numbers tried one after the other come to little.
const DAILY: Allowance = Allowance {
    requests: 300,
    window: 43_200,
};

/// How many patients a search shows.
const SHOWN: usize = 20;

/// One more tells that there are more.
const LOOKED_FOR: i32 = 21;

struct Handler {
    accounts: Accounts,
    patients: Patients,
    panel: Panel,
    index: BlindIndex,
}

impl Change<FindPatient> for Handler {
    /// Whoever is or is not there, the steps are the same, but for opening those who are: a turn
    /// taken, a MAC, one query, one record.
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        search: Search,
    ) -> Result<Changed<Found>, Problem> {
        let now = Timestamp::now();
        let turn = |allowance| {
            let (account, id) = (access.account(), FindPatient::SPEC.id);
            self.accounts.take_turn(account, id, allowance, now)
        };
        let (often, daily, mac) =
            tokio::try_join!(turn(ALLOWANCE), turn(DAILY), self.index.mac(search.term()))?;
        for turn in [daily, often] {
            if let Turn::Wait(seconds) = turn {
                let problem = Problem::too_many_requests(seconds);
                return Ok(Changed::refused(Vec::new(), problem).regarding(mac));
            }
        }
        let sought = match search {
            Search::Mrn(_) => Sought::Mrn(mac),
            Search::Name { .. } => Sought::Name(mac),
        };
        let mut patients = self.patients.found(access, &sought, LOOKED_FOR).await?;
        let more = patients.len() > SHOWN;
        patients.truncate(SHOWN);
        let contexts = self.panel.contexts(access, patients).await?;
        let practitioner = access.caller().row.practitioner;
        let found = self
            .panel
            .open(access, contexts, |patient, opener| {
                let treats =
                    practitioner.is_some_and(|one| opener.context().is_on_care_team(one, now));
                FoundPatient::open(patient, &search, treats, opener)
            })
            .await?;
        let answer = found.map(|found| {
            let mut patients: Vec<_> = found.into_iter().flatten().collect();
            // As in a telephone book: accents and capitals do not part names.
            patients.sort_by_cached_key(|one| (FamilyName::of(&one.name), one.id));
            Found { patients, more }
        });
        Ok(Changed::done(Vec::new(), answer).regarding(sought.mac()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<FindPatient>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            patients: Patients::new(aws)?,
            panel: Panel::new(aws)?,
            index: BlindIndex::new(aws.kms().clone(), aws.name(Resource::IndexKey)?),
        },
    )
}
