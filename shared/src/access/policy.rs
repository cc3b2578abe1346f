//! The policy of the portal, decided by Cedar: shared/policies/portal.cedar.

use super::{AppointmentOf, KeyOwner, OwnAccount, Portal, Practice, Subject};
use crate::Fault;
use crate::audit::Via;
use crate::ids::{AccountId, ConcernId, PatientId};
use crate::store::{AccountRow, PatientContext};
use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    Response, RestrictedExpression,
};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::OnceLock;

const POLICIES: &str = include_str!("../../policies/portal.cedar");

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum Principal<'a> {
    Account(&'a AccountRow),
    Anonymous,
    /// A function that AWS invokes, by its id.
    Service(&'a str),
}

/// A subject that Cedar can be asked about.
pub trait Resource: Subject {
    /// Its entity, with the attributes that the policies read. Of the relations that end, those of
    /// the principal are enough.
    fn entity(
        &self,
        principal: Principal<'_>,
        context: &PatientContext,
        now: Timestamp,
    ) -> Result<Entity, Fault>;
}

type Attributes = Vec<(&'static str, RestrictedExpression)>;

/// What the policies read of a patient.
fn patient_attributes(
    principal: Principal<'_>,
    context: &PatientContext,
    now: Timestamp,
) -> Result<Attributes, Fault> {
    let care_team = context
        .care_team()
        .iter()
        .map(|member| member.practitioner)
        .filter(|practitioner| context.is_on_care_team(*practitioner, now))
        .map(|practitioner| reference("Practitioner", &practitioner.to_string()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut attributes = vec![("careTeam", RestrictedExpression::new_set(care_team))];
    if let Some(age) = context.age() {
        attributes.push(("age", string(age.as_str())));
    }
    if let Principal::Account(row) = principal {
        let account = || reference("Account", &row.account.to_string());
        if let Some(proxy) = context.proxy(row.account) {
            let categories = proxy.categories.iter().map(|name| string(name));
            let mut fields = vec![
                ("account", account()?),
                ("basis", string(proxy.basis.as_str())),
                ("categories", RestrictedExpression::new_set(categories)),
            ];
            if let Some(until) = proxy.until {
                fields.push(("until", seconds(until)));
            }
            attributes.push(("proxy", record(fields)?));
        }
        if let Some(break_glass) = context.break_glass(row.account) {
            let fields = [
                ("account", account()?),
                ("until", seconds(break_glass.until)),
            ];
            attributes.push(("breakGlass", record(fields)?));
        }
        if let Some(disclosure) = context.disclosure(row.account) {
            let fields = [
                ("account", account()?),
                ("until", seconds(disclosure.until)),
            ];
            attributes.push(("disclosure", record(fields)?));
        }
    }
    Ok(attributes)
}

impl Resource for PatientId {
    fn entity(
        &self,
        principal: Principal<'_>,
        context: &PatientContext,
        now: Timestamp,
    ) -> Result<Entity, Fault> {
        let attributes = patient_attributes(principal, context, now)?;
        entity(uid("Patient", &self.to_string())?, attributes)
    }
}

/// The patient, and whom the appointment is with as long as that permits something.
impl Resource for AppointmentOf {
    fn entity(
        &self,
        principal: Principal<'_>,
        context: &PatientContext,
        now: Timestamp,
    ) -> Result<Entity, Fault> {
        let mut attributes = patient_attributes(principal, context, now)?;
        if let Some(tie) = context.appointment(self.appointment) {
            let fields = [
                (
                    "practitioner",
                    reference("Practitioner", &tie.practitioner.to_string())?,
                ),
                ("until", seconds(tie.until)),
            ];
            attributes.push(("appointment", record(fields)?));
        }
        entity(uid("Patient", &self.patient.to_string())?, attributes)
    }
}

impl Resource for OwnAccount {
    fn entity(
        &self,
        principal: Principal<'_>,
        _: &PatientContext,
        _: Timestamp,
    ) -> Result<Entity, Fault> {
        principal.entity()
    }
}

impl Resource for AccountId {
    fn entity(&self, _: Principal<'_>, _: &PatientContext, _: Timestamp) -> Result<Entity, Fault> {
        let id = self.to_string();
        entity(uid("User", &id)?, [("account", reference("Account", &id)?)])
    }
}

impl Resource for Practice {
    fn entity(&self, _: Principal<'_>, _: &PatientContext, _: Timestamp) -> Result<Entity, Fault> {
        entity(uid("Application", "portal")?, [])
    }
}

impl Resource for KeyOwner {
    fn entity(
        &self,
        principal: Principal<'_>,
        _: &PatientContext,
        _: Timestamp,
    ) -> Result<Entity, Fault> {
        match self {
            Self::OwnAccount => principal.entity(),
            Self::Group(group) => entity(uid("Group", group.as_str())?, []),
        }
    }
}

impl Resource for ConcernId {
    fn entity(&self, _: Principal<'_>, _: &PatientContext, _: Timestamp) -> Result<Entity, Fault> {
        entity(uid("Concern", &self.to_string())?, [])
    }
}

impl Resource for Portal {
    fn entity(&self, _: Principal<'_>, _: &PatientContext, _: Timestamp) -> Result<Entity, Fault> {
        entity(uid("Application", "portal")?, [])
    }
}

impl Principal<'_> {
    fn entity(self) -> Result<Entity, Fault> {
        let row = match self {
            Self::Anonymous => return entity(uid("Anonymous", "anonymous")?, []),
            Self::Service(id) => return entity(uid("Service", id)?, []),
            Self::Account(row) => row,
        };
        let mut attributes = vec![
            ("role", string(row.role.as_str())),
            ("status", string(row.status.as_str())),
        ];
        if let Some(patient) = row.patient {
            attributes.push(("patient", reference("Patient", &patient.to_string())?));
        }
        if let Some(practitioner) = row.practitioner {
            let reference = reference("Practitioner", &practitioner.to_string())?;
            attributes.push(("practitioner", reference));
        }
        entity(account_uid(row.account)?, attributes)
    }
}

/// What the policy says.
#[derive(Debug)]
pub enum Decision {
    Permit(Permitted),
    Deny,
}

/// A permission that Cedar gave. Nothing else makes one.
#[derive(Debug)]
pub struct Permitted {
    via: Via,
}

impl Permitted {
    pub fn via(&self) -> Via {
        self.via.clone()
    }
}

/// The policy set, parsed once in a process, while it starts.
pub struct Policies {
    set: PolicySet,
    authorizer: Authorizer,
}

impl Policies {
    pub fn load() -> Result<&'static Self, Fault> {
        static LOADED: OnceLock<Result<Policies, Fault>> = OnceLock::new();
        let loaded = LOADED.get_or_init(|| {
            let set = PolicySet::from_str(POLICIES)
                .map_err(|_| Fault::Misconfigured("portal.cedar does not parse"))?;
            let policies = Self {
                set,
                authorizer: Authorizer::new(),
            };
            // Cedar makes tables with the first decision: make it here, not in the first request.
            policies.decide(
                Principal::Anonymous,
                "Start",
                &Portal,
                &PatientContext::default(),
                Timestamp::UNIX_EPOCH,
            )?;
            Ok(policies)
        });
        loaded.as_ref().map_err(|fault| *fault)
    }

    /// Decides one request. Errors in a policy deny: Cedar leaves such a policy out, and a
    /// permission that only stands because a prohibition could not be evaluated is not one.
    pub fn decide<R: Resource>(
        &self,
        principal: Principal<'_>,
        action: &str,
        resource: &R,
        context: &PatientContext,
        now: Timestamp,
    ) -> Result<Decision, Fault> {
        let principal_entity = principal.entity()?;
        let resource = resource.entity(principal, context, now)?;
        let circumstances = Context::from_pairs([("now".to_owned(), seconds(now))])
            .map_err(|_| Fault::Defect("a Cedar context"))?;
        let request = Request::new(
            principal_entity.uid(),
            uid("Action", action)?,
            resource.uid(),
            circumstances,
            None,
        )
        .map_err(|_| Fault::Defect("a Cedar request"))?;
        let same = principal_entity.uid() == resource.uid();
        let entities = std::iter::once(principal_entity).chain((!same).then_some(resource));
        let entities =
            Entities::from_entities(entities, None).map_err(|_| Fault::Defect("Cedar entities"))?;
        let response = self
            .authorizer
            .is_authorized(&request, &self.set, &entities);
        Ok(self.decision(&response))
    }

    fn decision(&self, response: &Response) -> Decision {
        let permitted = response.decision() == cedar_policy::Decision::Allow
            && response.diagnostics().errors().next().is_none();
        if !permitted {
            return Decision::Deny;
        }
        // Of several grounds always the same one, and an emergency before any other: every access in
        // it carries its grant.
        let via = response
            .diagnostics()
            .reason()
            .filter_map(|policy| self.set.annotation(policy, "via"))
            .min()
            .unwrap_or("policy");
        Decision::Permit(Permitted {
            via: Via(via.to_owned()),
        })
    }
}

fn account_uid(account: AccountId) -> Result<EntityUid, Fault> {
    uid("Account", &account.to_string())
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Fault> {
    let name = EntityTypeName::from_str(&format!("Portal::{kind}"))
        .map_err(|_| Fault::Defect("a Cedar entity type"))?;
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn seconds(at: Timestamp) -> RestrictedExpression {
    RestrictedExpression::new_long(at.as_second())
}

fn record(
    fields: impl IntoIterator<Item = (&'static str, RestrictedExpression)>,
) -> Result<RestrictedExpression, Fault> {
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    RestrictedExpression::new_record(fields).map_err(|_| Fault::Defect("a Cedar record"))
}

fn reference(kind: &str, id: &str) -> Result<RestrictedExpression, Fault> {
    Ok(RestrictedExpression::new_entity_uid(uid(kind, id)?))
}

fn entity(
    uid: EntityUid,
    attributes: impl IntoIterator<Item = (&'static str, RestrictedExpression)>,
) -> Result<Entity, Fault> {
    let attributes: HashMap<_, _> = attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Entity::new(uid, attributes, HashSet::new()).map_err(|_| Fault::Defect("a Cedar entity"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::{Schema, ValidationMode, Validator};

    const SCHEMA: &str = include_str!("../../policies/portal.cedarschema");

    #[test]
    fn the_policies_are_valid_under_their_schema() {
        let (schema, warnings) = Schema::from_cedarschema_str(SCHEMA).unwrap();
        assert_eq!(warnings.count(), 0);
        let set = PolicySet::from_str(POLICIES).unwrap();
        let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
        assert!(result.validation_passed(), "{result}");
        assert_eq!(result.validation_warnings().count(), 0, "{result}");
    }

    #[test]
    fn every_permission_names_its_ground() {
        let set = PolicySet::from_str(POLICIES).unwrap();
        for policy in set.policies() {
            let permits = policy.effect() == cedar_policy::Effect::Permit;
            assert_eq!(policy.annotation("via").is_some(), permits, "{policy}");
            assert!(policy.annotation("id").is_some(), "{policy}");
        }
    }
}
