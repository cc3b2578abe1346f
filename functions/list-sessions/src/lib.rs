//! Lists the caller's sessions, and who signed in as them or tried to.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{OwnAccount, Unproven};
use shared::api::sessions::{ListSessions, OpenSession, Sessions};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::identity::Users;
use shared::ids::AccountId;
use shared::phi::Sealed;
use shared::serve::Service;

struct Handler {
    users: Users,
}

impl Read<ListSessions> for Handler {
    async fn read(
        &self,
        _: &Unproven<OwnAccount>,
        account: AccountId,
    ) -> Result<Sealed<Sessions>, Problem> {
        let sign_ins = self.users.sign_ins(account).await?;
        Ok(Sealed::unkeyed(move |opener| {
            let caller = opener
                .caller()
                .ok_or(Fault::Defect("sessions without a caller"))?;
            let now = Timestamp::now();
            let sessions = caller.row.sessions.iter().rev();
            let sessions = sessions.filter(|one| one.is_open(now)).map(|one| {
                Ok(OpenSession {
                    id: one.id,
                    current: one.id == caller.session,
                    signed_in_at: Timestamp::from_second(one.signed_in_at)
                        .map_err(|_| Fault::Corrupt("the time of a sign-in"))?,
                    source_ip: one.source_ip.clone(),
                    user_agent: one.user_agent.clone(),
                })
            });
            Ok(Sessions {
                sessions: sessions.collect::<Result<_, Fault>>()?,
                sign_ins,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListSessions>(
        aws,
        Handler {
            users: Users::new(aws)?,
        },
    )
}
