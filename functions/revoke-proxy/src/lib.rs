//! Ends a proxy's grant, at once.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Role};
use shared::api::profile::Profile;
use shared::api::proxies::{RevokeProxy, Revoked, granted_by_another, may_end};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::{PatientId, ProxyId};
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::Proxies;

struct Handler {
    proxies: Proxies,
    practice: Practice,
}

impl Change<RevokeProxy> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        id: ProxyId,
    ) -> Result<Changed<Revoked>, Problem> {
        let refused = |problem| Ok(Changed::refused(Vec::new(), problem).regarding(id.to_string()));
        let caller = access.caller();
        // To a proxy there are no other proxies.
        let sees_all =
            caller.row.role == Role::Provider || caller.row.patient == Some(access.patient());
        let mut proxies = opener.context().proxies().iter();
        let proxy = proxies
            .find(|proxy| proxy.grant == id.uuid())
            .filter(|proxy| sees_all || proxy.account == access.account());
        let Some(proxy) = proxy else {
            return refused(Problem::not_found());
        };
        let now = Timestamp::now();
        let age = Profile::age(opener, &self.practice, now)?;
        if !may_end(caller, proxy, age) {
            return refused(granted_by_another());
        }
        let writes = self.proxies.revoke(access, opener, proxy, now)?;
        let answer = Revoked {
            id,
            revoked_at: now,
        };
        Ok(Changed::done(writes, Phi::new(answer)).regarding(id.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<RevokeProxy>(
        aws,
        Handler {
            proxies: Proxies::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
