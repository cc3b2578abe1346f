//! Lists the concerns about accesses that are open, or that are resolved, newest first.

use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::access_concerns::{Concerns, ListAccessConcerns, Listing};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store;

struct Handler {
    concerns: store::Concerns,
}

impl Change<ListAccessConcerns> for Handler {
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        Listing { state, page }: Listing,
    ) -> Result<Changed<Concerns>, Problem> {
        let after = page.after.as_deref();
        let found = self.concerns.list(access, state, after, page.limit).await?;
        let answer = Concerns {
            concerns: found.concerns,
            next_cursor: found.next.map(|sk| page.cursor.write(&sk)).transpose()?,
        };
        Ok(Changed::done(Vec::new(), Phi::new(answer)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ListAccessConcerns>(
        aws,
        Handler {
            concerns: store::Concerns::new(aws)?,
        },
    )
}
