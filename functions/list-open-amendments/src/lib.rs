//! Lists the open requests to amend records by their last day: to the privacy officer all of them,
//! to a provider those of the patients whom they treat.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{self, Access, Role};
use shared::api::amendments::{
    Amendment, AmendmentRequest, ListOpenAmendments, MOST, OpenAmendment, OpenAmendments,
};
use shared::api::page::Page;
use shared::api::refills::Whose;
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::Opener;
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::WorkList;

struct Handler {
    amendments: WorkList<Amendment>,
    practice: Practice,
}

impl Change<ListOpenAmendments> for Handler {
    /// Nothing changes; but whose requests they are must be permitted before they are looked for.
    async fn change(
        &self,
        access: &Access<access::Practice>,
        _: &Opener,
        page: Page<MOST>,
    ) -> Result<Changed<OpenAmendments>, Problem> {
        let row = &access.caller().row;
        let practitioner = match row.role {
            Role::PrivacyOfficer => None,
            _ => Some(
                row.practitioner
                    .ok_or(Fault::Defect("a provider who is nobody"))?,
            ),
        };
        let now = Timestamp::now();
        let after = page.after.as_deref();
        let waiting = self
            .amendments
            .page(access, practitioner, after, page.limit)
            .await?;
        let theirs = self
            .amendments
            .current(access, practitioner, &waiting, now)
            .await?;
        let opened = theirs.iter().map(|(patient, _)| *patient).collect();
        let open = |id: PatientId, amendment: Amendment, opener: &Opener| {
            Ok(OpenAmendment {
                patient: Whose::open(id, opener)?,
                request: AmendmentRequest::new(amendment, &self.practice, now),
            })
        };
        let amendments = self.amendments.open(access, theirs, &waiting, open).await?;
        let next = waiting.next.map(|sk| page.cursor.write(&sk));
        let next_cursor = next.transpose()?;
        let answer = amendments.map(|amendments| OpenAmendments {
            amendments,
            next_cursor,
        });
        Ok(Changed::done(Vec::new(), answer).opening(opened))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ListOpenAmendments>(
        aws,
        Handler {
            amendments: WorkList::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
