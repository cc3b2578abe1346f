//! Lists the results that are held now, whoever's they are.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::lab_holds::{Holds, ListLabHolds};
use shared::api::page::Page;
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store;

struct Handler {
    holds: store::Holds,
}

impl Change<ListLabHolds> for Handler {
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        page: Page,
    ) -> Result<Changed<Holds>, Problem> {
        let (after, now) = (page.after.as_deref(), Timestamp::now());
        let found = self.holds.list(access, after, page.limit, now).await?;
        let answer = Holds {
            holds: found.holds,
            next_cursor: found.next.map(|sk| page.cursor.write(&sk)).transpose()?,
        };
        Ok(Changed::done(Vec::new(), Phi::new(answer)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ListLabHolds>(
        aws,
        Handler {
            holds: store::Holds::new(aws)?,
        },
    )
}
