//! Lists the providers who can be booked, by specialty.

use shared::Fault;
use shared::access::{Practice, Unproven};
use shared::api::availability::{ListProviders, Providers};
use shared::api::page::Page;
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::Schedule;

struct Handler {
    schedule: Schedule,
}

impl Read<ListProviders> for Handler {
    async fn read(&self, _: &Unproven<Practice>, page: Page) -> Result<Sealed<Providers>, Problem> {
        let after = page.after.as_deref();
        let found = self.schedule.providers(None, after, page.limit).await?;
        Ok(Sealed::unkeyed(move |_| {
            Ok(Providers {
                providers: found.providers,
                next_cursor: found.next.map(|sk| page.cursor.write(&sk)).transpose()?,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListProviders>(
        aws,
        Handler {
            schedule: Schedule::new(aws)?,
        },
    )
}
