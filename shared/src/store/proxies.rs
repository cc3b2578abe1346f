//! Proxies in the patients table. A grant is `CONTEXT#PROXY#<account>` with the patient, where it is
//! read with every request about them, and `PROXY-OF#<account>` with the account, which leads to the
//! patients without a search. What a grant was is kept as `HISTORY#PROXY#`.

use super::patients::{PROXIES, PROXY, Patients, TABLE};
use super::{Basis, Item, Proxy, SEALED, Write, b, n, patient_key, s, sortable, string};
use crate::Fault;
use crate::access::{Access, Caller, OwnAccount, Unproven};
use crate::api::profile::Profile;
use crate::api::proxies::is_proxied;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AccountId, PatientId};
use crate::phi::{DataKeys, Opener, Place};
use crate::practice::Practice;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::{DeleteBuilder, PutBuilder};
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use futures_util::future::try_join_all;
use jiff::Timestamp;

/// Makes and ends grants.
pub struct Proxies {
    table: String,
}

/// Leads from an account to the patients for whom it acts.
pub struct ProxyIndex {
    client: Client,
    table: String,
    patients: Patients,
    keys: DataKeys,
    practice: Practice,
}

/// A patient for whom an account acts, and what opens the patient's rows.
pub struct Proxied {
    pub patient: PatientId,
    pub proxy: Proxy,
    pub opener: Opener,
}

/// A page of them, and the sort key after which the next page starts.
pub struct ProxiedPage {
    pub patients: Vec<Proxied>,
    pub next: Option<String>,
}

impl Proxies {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            table: aws.name(Resource::PatientsTable)?,
        })
    }

    /// The writes of a grant, in place of what the account was granted before. A patient's grants
    /// are made one at a time, or two at once could be more than a patient may make.
    pub fn grant(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        proxy: &Proxy,
        person: &[u8],
    ) -> Result<Vec<Write>, Fault> {
        let pk = patient_key(access.patient());
        let sk = format!("{PROXY}{}", proxy.account);
        let place = Place {
            table: TABLE,
            pk: &pk,
            sk: &sk,
            attribute: SEALED,
        };
        let mut row = self
            .put(&pk, &sk)
            .item("grant", s(proxy.grant.to_string()))
            .item("basis", s(proxy.basis.as_str()))
            .item("categories", s(proxy.categories.join(" ")))
            .item("granted_by", s(access.account().to_string()))
            .item("granted_at", s(proxy.granted_at.to_string()))
            .item(SEALED, b(opener.seal(&place, person)?));
        if let Some(until) = proxy.until {
            row = row.item("until", s(until.to_string()));
        }
        if let Some(born) = proxy.born {
            row = row.item("born", n(u64::try_from(born).unwrap_or_default()));
        }
        let former = opener.context().proxy(proxy.account);
        row = match former {
            Some(former) => row
                .condition_expression("#grant = :seen")
                .expression_attribute_names("#grant", "grant")
                .expression_attribute_values(":seen", s(former.grant.to_string())),
            None => row.condition_expression("attribute_not_exists(pk)"),
        };
        let version = opener.context().proxies_version();
        let count = self
            .put(&pk, PROXIES)
            .item("version", n(version.saturating_add(1)));
        let count = if version == 0 {
            count.condition_expression("attribute_not_exists(pk)")
        } else {
            count
                .condition_expression("version = :seen")
                .expression_attribute_values(":seen", n(version))
        };
        let index = self.put(&of_account(proxy.account), &pk);
        let mut writes = vec![put(row)?, put(count)?, put(index)?];
        if let Some(former) = former {
            writes.push(self.history(access, opener, former, proxy.granted_at)?);
        }
        Ok(writes)
    }

    /// The writes that end a grant; none of them happens if it has ended or changed already.
    pub fn revoke(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        proxy: &Proxy,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let pk = patient_key(access.patient());
        let row = self
            .delete(&pk, &format!("{PROXY}{}", proxy.account))
            .condition_expression("#grant = :seen")
            .expression_attribute_names("#grant", "grant")
            .expression_attribute_values(":seen", s(proxy.grant.to_string()));
        let index = self.delete(&of_account(proxy.account), &pk);
        Ok(vec![
            delete(row)?,
            delete(index)?,
            self.history(access, opener, proxy, now)?,
        ])
    }

    /// Keeps what a grant was, and who ended it when.
    fn history(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        proxy: &Proxy,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let pk = patient_key(access.patient());
        let sk = format!("HISTORY#PROXY#{}#{}", proxy.account, sortable(now));
        let place = Place {
            table: TABLE,
            pk: &pk,
            sk: &sk,
            attribute: SEALED,
        };
        let mut history = self
            .put(&pk, &sk)
            .item("ended_at", s(now.to_string()))
            .item("ended_by", s(access.account().to_string()))
            .item(SEALED, b(opener.seal(&place, &proxy.row.open(opener)?)?))
            .condition_expression("attribute_not_exists(pk)");
        for name in [
            "grant",
            "basis",
            "categories",
            "until",
            "granted_by",
            "granted_at",
        ] {
            if let Some(value) = proxy.row.string(name) {
                history = history.item(name, s(value));
            }
        }
        put(history)
    }

    fn put(&self, pk: &str, sk: &str) -> PutBuilder {
        Put::builder()
            .table_name(&self.table)
            .item("pk", s(pk))
            .item("sk", s(sk))
    }

    fn delete(&self, pk: &str, sk: &str) -> DeleteBuilder {
        Delete::builder()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(sk))
    }
}

impl ProxyIndex {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::PatientsTable)?,
            patients: Patients::new(aws)?,
            keys: DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey)?),
            practice: aws.practice().clone(),
        })
    }

    /// The patients for whom the caller acts at this moment, each with what opens their rows: the
    /// rows of all at once, then the keys of all. Of whom the policy does not permit nothing is
    /// opened, but for the birth date of a parent's child, on which it decides.
    pub async fn page(
        &self,
        access: &Access<OwnAccount>,
        after: Option<&str>,
        limit: u8,
        now: Timestamp,
    ) -> Result<ProxiedPage, Fault> {
        let pk = of_account(access.account());
        let start = after.map(|sk| {
            let key = [("pk".to_owned(), s(&pk)), ("sk".to_owned(), s(sk))];
            Item::from(key)
        });
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(&pk))
            .set_exclusive_start_key(start)
            .limit(limit.into())
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let patients = answer.items.unwrap_or_default();
        let patients = patients.iter().map(|item| {
            string(item, "sk")
                .and_then(|sk| sk.strip_prefix("PATIENT#"))
                .and_then(|id| id.parse().ok())
                .ok_or(Fault::Corrupt("a proxy's index row"))
        });
        let patients = patients.collect::<Result<Vec<PatientId>, _>>()?;
        let opened = patients
            .into_iter()
            .map(|patient| self.open(access.caller(), patient, now));
        let next = answer.last_evaluated_key.as_ref();
        Ok(ProxiedPage {
            patients: try_join_all(opened).await?.into_iter().flatten().collect(),
            next: next.and_then(|key| string(key, "sk")).map(str::to_owned),
        })
    }

    async fn open(
        &self,
        caller: &Caller,
        patient: PatientId,
        now: Timestamp,
    ) -> Result<Option<Proxied>, Fault> {
        let context = self.patients.context(&Unproven::new(patient)).await?;
        let Some(proxy) = context.proxy(caller.row.account).cloned() else {
            return Ok(None);
        };
        let parental = proxy.basis == Basis::Parental;
        if !parental && !is_proxied(&caller.row, patient, &context, now)? {
            return Ok(None);
        }
        let wrapped = context
            .wrapped_key()
            .ok_or(Fault::Corrupt("the patient has no data key"))?;
        let mut opener = Opener {
            key: Some(self.keys.unwrap(patient, wrapped).await?),
            context,
            caller: Some(caller.clone()),
        };
        if parental {
            if let Some(age) = Profile::age(&opener, &self.practice, now)? {
                opener.context.set_age(age);
            }
            if !is_proxied(&caller.row, patient, &opener.context, now)? {
                return Ok(None);
            }
        }
        Ok(Some(Proxied {
            patient,
            proxy,
            opener,
        }))
    }
}

/// The partition that leads from an account to the patients for whom it acts.
fn of_account(account: AccountId) -> String {
    format!("PROXY-OF#{account}")
}

fn put(put: PutBuilder) -> Result<Write, Fault> {
    let put = put.build().map_err(|_| Fault::Defect("a put"))?;
    Ok(Write {
        item: TransactWriteItem::builder().put(put).build(),
        conflict: Problem::changed_meanwhile(),
    })
}

fn delete(delete: DeleteBuilder) -> Result<Write, Fault> {
    let delete = delete.build().map_err(|_| Fault::Defect("a delete"))?;
    Ok(Write {
        item: TransactWriteItem::builder().delete(delete).build(),
        conflict: Problem::changed_meanwhile(),
    })
}
