//! Lists the open refill requests of the patients whom the caller treats, oldest first.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::page::Page;
use shared::api::refills::{
    ListOpenRefills, MOST, OpenRefill, OpenRefills, Refill, RefillRequest, Whose,
};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::Opener;
use shared::serve::Service;
use shared::store::{Records, Section, WorkList};

struct Handler {
    refills: WorkList<Refill>,
    records: Records,
}

impl Change<ListOpenRefills> for Handler {
    /// Nothing changes; but whose requests they are must be permitted before they are looked for.
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        page: Page<MOST>,
    ) -> Result<Changed<OpenRefills>, Problem> {
        let practitioner = access.caller().row.practitioner;
        let practitioner = practitioner.ok_or(Fault::Defect("a provider who is nobody"))?;
        let after = page.after.as_deref();
        let waiting = self
            .refills
            .page(access, Some(practitioner), after, page.limit)
            .await?;
        let (mine, active) = tokio::try_join!(
            self.refills
                .current(access, Some(practitioner), &waiting, Timestamp::now()),
            self.records
                .ids_of(access, waiting.patients(), Section::ActivePrescriptions),
        )?;
        let opened = mine.iter().map(|(patient, _)| *patient).collect();
        let open = |id: PatientId, refill: Refill, opener: &Opener| {
            Ok(OpenRefill {
                patient: Whose::open(id, opener)?,
                request: RefillRequest {
                    prescription_active: active.contains(&refill.prescription),
                    refill,
                },
            })
        };
        let requests = self.refills.open(access, mine, &waiting, open).await?;
        let next = waiting.next.map(|sk| page.cursor.write(&sk));
        let next_cursor = next.transpose()?;
        let answer = requests.map(|requests| OpenRefills {
            requests,
            next_cursor,
        });
        Ok(Changed::done(Vec::new(), answer).opening(opened))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ListOpenRefills>(
        aws,
        Handler {
            refills: WorkList::new(aws)?,
            records: Records::new(aws)?,
        },
    )
}
