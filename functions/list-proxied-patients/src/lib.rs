//! Lists the patients for whom the caller acts.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, OwnAccount};
use shared::api::page::Page;
use shared::api::profile::Profile;
use shared::api::proxies::{ListProxiedPatients, ProxiedPatient, ProxiedPatients, in_effect};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::ProxyId;
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Proxied, ProxyIndex};

struct Handler {
    index: ProxyIndex,
    practice: Practice,
}

impl Change<ListProxiedPatients> for Handler {
    /// It changes nothing, and begins only when the caller is known: whom it concerns is found by
    /// the account.
    ///
    /// One record, under the account, that names the grants: the list tells a proxy nothing about a
    /// patient but the name, which whoever was granted something knows. What the proxy then opens
    /// leaves a record under the patient.
    async fn change(
        &self,
        access: &Access<OwnAccount>,
        _: &Opener,
        page: Page,
    ) -> Result<Changed<ProxiedPatients>, Problem> {
        let now = Timestamp::now();
        let after = page.after.as_deref();
        let found = self.index.page(access, after, page.limit, now).await?;
        let grants = found.patients.iter();
        let grants: Vec<_> = grants.map(|one| one.proxy.grant.to_string()).collect();
        let patients = found.patients.iter().map(|one| self.told(one));
        let answer = ProxiedPatients {
            patients: patients.collect::<Result<_, Fault>>()?,
            next_cursor: found.next.map(|sk| page.cursor.write(&sk)).transpose()?,
        };
        Ok(Changed::done(Vec::new(), Phi::new(answer)).regarding(grants.join(" ")))
    }
}

impl Handler {
    fn told(&self, one: &Proxied) -> Result<ProxiedPatient, Fault> {
        let proxy = &one.proxy;
        Ok(ProxiedPatient {
            id: one.patient,
            proxy: ProxyId::new(proxy.grant),
            name: Profile::open(one.patient, &one.opener)?.name,
            basis: proxy.basis.as_str(),
            categories: in_effect(
                proxy,
                one.opener.context().age(),
                &self.practice,
                Timestamp::now(),
            ),
            until: proxy.until.map(|until| self.practice.last_day(until)),
        })
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ListProxiedPatients>(
        aws,
        Handler {
            index: ProxyIndex::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
