//! Takes a place on the waitlist: once, however often the request is sent.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::appointments::deceased;
use shared::api::availability::Provider;
use shared::api::profile::Profile;
use shared::api::waitlist::{
    JoinWaitlist, KeyedWish, PLACES, Place, Wish, in_the_past, too_many_places,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Entry, Roster, Waitlist};

/// Of a specialty so many providers are looked at.
const PROVIDERS: u8 = 100;

struct Handler {
    waitlist: Waitlist,
    practice: Practice,
}

/// Who could be waited for, how many places the patient has, and the one that this very request took
/// before.
struct Found {
    providers: Vec<Provider>,
    roster: Roster,
    former: Option<Entry>,
}

impl Revise<JoinWaitlist> for Handler {
    type Found = Found;

    /// Another request of the same patient's may have changed the roster.
    const ATTEMPTS: u32 = 2;

    async fn find(&self, whose: &Unproven<PatientId>, keyed: &KeyedWish) -> Result<Found, Problem> {
        let (providers, roster, former) = tokio::try_join!(
            self.providers(&keyed.wish),
            self.waitlist.roster_of(whose),
            self.waitlist.place(whose, keyed.id),
        )?;
        Ok(Found {
            providers,
            roster,
            former,
        })
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        Found {
            providers,
            roster,
            former,
        }: Found,
        KeyedWish { id, wish }: KeyedWish,
    ) -> Result<Changed<Place>, Problem> {
        let now = Timestamp::now();
        if let Some(former) = former {
            if former.wish != wish {
                return Err(Problem::key_used_before());
            }
            let answer = Phi::new(Place::new(&former, now));
            return Ok(Changed::done(Vec::new(), answer).regarding(id.to_string()));
        }
        if Profile::open(access.patient(), opener)?.deceased {
            return Err(deceased());
        }
        wish.check(&providers)?;
        let (_, last) = wish.days()?;
        let ends = self.practice.end_of(last)?;
        if ends <= now {
            return Err(in_the_past());
        }
        if roster.count(now) >= PLACES {
            return Err(too_many_places());
        }
        let entry = Entry::new(id, access, wish, ends, now);
        let writes = self.waitlist.join(&entry, &roster, now)?;
        let answer = Phi::new(Place::new(&entry, now));
        Ok(Changed::done(writes, answer).regarding(id.to_string()))
    }
}

impl Handler {
    async fn providers(&self, wish: &Wish) -> Result<Vec<Provider>, Fault> {
        let schedule = &self.waitlist.schedule;
        if let Some(practitioner) = wish.practitioner {
            let stored = schedule.availability(practitioner).await?;
            let provider =
                stored.map(|one| Provider::new(practitioner, one.name, &one.availability));
            return Ok(provider.into_iter().collect());
        }
        let specialty = wish.specialty.as_ref().map(|specialty| specialty.as_str());
        let page = schedule.providers(specialty, None, PROVIDERS).await?;
        Ok(page.providers)
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<JoinWaitlist>(
        aws,
        Handler {
            waitlist: Waitlist::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
