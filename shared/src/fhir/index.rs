//! Who is meant: finds the resource that a reference points to, inside the file or outside.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use serde::Serialize;
use serde_json::value::RawValue;

use super::datatypes::{Identifier, Link};
use super::document::Part;
use super::identity::{id_key, identifier_key};
use super::json::{self, Object};
use super::reason::Reason;
use super::resource_type::{UNKNOWN, is_kept, known};
use super::ssn;

/// The target of a reference.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
#[serde(rename_all = "kebab-case", tag = "in")]
pub enum Reference {
    /// A resource of the same file that is stored with it.
    #[serde(rename_all = "camelCase")]
    File {
        resource_type: &'static str,
        id: String,
    },
    /// A resource that must have come with another file. The key is `id:<base>/<type>/<id>`,
    /// `id:<id>` where the base is not known, or `identifier:<system>|<value>`, as in the aliases
    /// of what it points to.
    #[serde(rename_all = "camelCase")]
    External {
        resource_type: &'static str,
        key: String,
    },
    /// Contained, dangling, ambiguous, not stored, or of a form that the portal does not follow.
    Nowhere,
}

/// A resource of the file that has a type, an id and sound JSON.
pub(super) struct Resource<'a> {
    pub(super) position: usize,
    pub(super) resource_type: &'static str,
    pub(super) id: String,
    pub(super) full_url: Option<String>,
    pub(super) json: &'a RawValue,
}

impl Resource<'_> {
    /// The key of its id at its source.
    pub(super) fn id_key(&self) -> String {
        let base = self.full_url.as_deref().and_then(base_of);
        id_key(base, self.resource_type, &self.id)
    }
}

/// What is known of a resource that is not stored.
#[cfg_attr(test, derive(Debug))]
pub(super) struct Refused {
    pub(super) position: usize,
    pub(super) resource_type: &'static str,
    pub(super) id: Option<String>,
    pub(super) full_url: Option<String>,
    pub(super) reason: Reason,
}

/// Where a link leads, before it is known what is stored.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Target {
    /// Place in [`Index::resources`].
    File(usize),
    External {
        resource_type: &'static str,
        key: String,
    },
    Contained(String),
    Nowhere,
}

/// `None` marks a key that several resources claim.
type Claims<K> = HashMap<K, Option<usize>>;

pub(super) struct Index<'a> {
    pub(super) resources: Vec<Resource<'a>>,
    by_url: Claims<String>,
    by_id: Claims<(&'static str, String)>,
    by_identifier: Claims<(&'static str, String, String)>,
    /// The practitioner of each PractitionerRole.
    roles: HashMap<usize, Link>,
}

impl<'a> Index<'a> {
    /// Reads each resource's type, id and identifiers.
    pub(super) fn of(parts: Vec<Part<'a>>) -> (Self, Vec<Refused>) {
        let mut refused = Vec::new();
        let mut resources = Vec::new();
        for part in parts {
            match identify(part) {
                Ok(resource) => resources.push(resource),
                Err(reason) => refused.push(reason),
            }
        }
        let resources = settle(resources, &mut refused);
        let mut index = Self {
            resources: Vec::new(),
            by_url: HashMap::new(),
            by_id: HashMap::new(),
            by_identifier: HashMap::new(),
            roles: HashMap::new(),
        };
        for resource in resources {
            index.add(resource);
        }
        for other in &refused {
            index.block(other);
        }
        (index, refused)
    }

    fn add(&mut self, resource: Resource<'a>) {
        let at = self.resources.len();
        let kind = resource.resource_type;
        if let Some(url) = &resource.full_url {
            claim(&mut self.by_url, unversioned(url).to_owned(), at);
        }
        claim(&mut self.by_id, (kind, resource.id.clone()), at);
        if matches!(
            kind,
            "Patient" | "Practitioner" | "Organization" | "Location"
        ) {
            let identifiers: Vec<Identifier> = Object::parse(resource.json)
                .and_then(|object| object.list("identifier"))
                .unwrap_or_default();
            for identifier in identifiers {
                if let Some(value) = identifier.value {
                    let system = identifier.system.unwrap_or_default();
                    claim(&mut self.by_identifier, (kind, system, value), at);
                }
            }
        }
        if kind == "PractitionerRole"
            && let Ok(Some(link)) =
                Object::parse(resource.json).and_then(|object| object.get("practitioner"))
        {
            self.roles.insert(at, link);
        }
        self.resources.push(resource);
    }

    /// Makes references to a refused resource lead nowhere: followed outside the file, they could
    /// reach another resource with the same id.
    fn block(&mut self, refused: &Refused) {
        if refused.reason == Reason::Superseded {
            return;
        }
        if let Some(url) = &refused.full_url {
            self.by_url.insert(unversioned(url).to_owned(), None);
        }
        if let Some(id) = &refused.id {
            self.by_id.insert((refused.resource_type, id.clone()), None);
        }
    }

    pub(super) fn resource(&self, at: usize) -> Option<&Resource<'a>> {
        self.resources.get(at)
    }

    /// Where the link leads. `from` is the resource that holds it; `expected` is the type of a
    /// link that gives an identifier and no type.
    pub(super) fn resolve(
        &self,
        link: &Link,
        from: &Resource<'_>,
        expected: &'static str,
    ) -> Target {
        match &link.reference {
            Some(text) => self.resolve_text(text, from),
            None => self.resolve_identifier(link, expected),
        }
    }

    /// As [`Self::resolve`], and on from a PractitionerRole to its practitioner.
    pub(super) fn practitioner(&self, link: &Link, from: &Resource<'_>) -> Target {
        let target = self.resolve(link, from, "Practitioner");
        let Target::File(at) = target else {
            return target;
        };
        match (self.roles.get(&at), self.resource(at)) {
            (Some(link), Some(role)) => self.resolve(link, role, "Practitioner"),
            _ => target,
        }
    }

    /// <https://hl7.org/fhir/R4/bundle.html#references>, in its order: the fullUrl decides; a type
    /// and id count only as far as no fullUrl contradicts them.
    fn resolve_text(&self, text: &str, from: &Resource<'_>) -> Target {
        if let Some(id) = text.strip_prefix('#') {
            return Target::Contained(id.to_owned());
        }
        if let Some((name, query)) = text.split_once('?') {
            return self.resolve_query(name, query);
        }
        let text = unversioned(text);
        if let Some(found) = self.by_url.get(text) {
            return found.map_or(Target::Nowhere, Target::File);
        }
        if text.starts_with("urn:") {
            return Target::Nowhere;
        }
        let mut segments = text.rsplit('/');
        let (Some(id), Some(name)) = (segments.next(), segments.next()) else {
            return Target::Nowhere;
        };
        let Some(kind) = known(name).filter(|_| is_id(id)) else {
            return Target::Nowhere;
        };
        let absolute = text.contains("://");
        if !absolute && segments.next().is_some() {
            return Target::Nowhere;
        }
        let base = if absolute {
            base_of(text)
        } else {
            from.full_url.as_deref().and_then(base_of)
        };
        if let Some(base) = base.filter(|_| !absolute)
            && let Some(found) = self.by_url.get(&format!("{base}/{kind}/{id}"))
        {
            return found.map_or(Target::Nowhere, Target::File);
        }
        match self.by_id.get(&(kind, id.to_owned())) {
            Some(Some(at)) => {
                // The same id on another server is another resource.
                let other = self
                    .resource(*at)
                    .and_then(|found| found.full_url.as_deref());
                match (base, other.and_then(base_of)) {
                    (Some(one), Some(other)) if one != other => Target::Nowhere,
                    _ => Target::File(*at),
                }
            }
            Some(None) => Target::Nowhere,
            None => Target::External {
                resource_type: kind,
                key: id_key(base, kind, id),
            },
        }
    }

    /// A conditional reference, `Practitioner?identifier=system|value`
    /// (<https://hl7.org/fhir/R4/http.html#trules>).
    fn resolve_query(&self, name: &str, query: &str) -> Target {
        let name = name.rsplit('/').next().unwrap_or(name);
        let (Some(kind), Some(token)) = (known(name), query.strip_prefix("identifier=")) else {
            return Target::Nowhere;
        };
        if token.contains('&') {
            return Target::Nowhere;
        }
        let Some(token) = percent_decoded(token) else {
            return Target::Nowhere;
        };
        match token.split_once('|') {
            Some((system, value)) => self.by_identifier(kind, system, value),
            None => Target::Nowhere,
        }
    }

    fn resolve_identifier(&self, link: &Link, expected: &'static str) -> Target {
        let kind = link.kind.as_deref().map_or(Some(expected), known);
        let (Some(kind), Some(identifier)) = (kind, &link.identifier) else {
            return Target::Nowhere;
        };
        let system = identifier.system.as_deref().unwrap_or_default();
        match identifier.value.as_deref() {
            Some(value) if !ssn::is(identifier) => self.by_identifier(kind, system, value),
            _ => Target::Nowhere,
        }
    }

    fn by_identifier(&self, kind: &'static str, system: &str, value: &str) -> Target {
        match self
            .by_identifier
            .get(&(kind, system.to_owned(), value.to_owned()))
        {
            Some(found) => found.map_or(Target::Nowhere, Target::File),
            None if system.is_empty() || value.is_empty() || ssn::is_system(system) => {
                Target::Nowhere
            }
            None => Target::External {
                resource_type: kind,
                key: identifier_key(system, value),
            },
        }
    }
}

fn claim<K: std::hash::Hash + Eq>(claims: &mut Claims<K>, key: K, at: usize) {
    match claims.entry(key) {
        Slot::Occupied(mut held) if *held.get() != Some(at) => {
            held.insert(None);
        }
        Slot::Occupied(_) => {}
        Slot::Vacant(free) => {
            free.insert(Some(at));
        }
    }
}

/// Reads the type and id; soundness only of what may be stored, so that a large claim costs little.
fn identify(part: Part<'_>) -> Result<Resource<'_>, Refused> {
    let mut refused = Refused {
        position: part.position,
        resource_type: UNKNOWN,
        id: None,
        full_url: None,
        reason: Reason::NoResource,
    };
    let mut read = || {
        let json = part.json?;
        let object = Object::parse(json)?;
        let name = object.text("resourceType")?.ok_or(Reason::NoResourceType)?;
        refused.resource_type = known(&name).ok_or(Reason::TypeNotKept)?;
        let id = match object.text("id")? {
            Some(id) if is_id(&id) => Ok(id),
            Some(_) => Err(Reason::BadId),
            None => part
                .full_url
                .as_deref()
                .and_then(id_of_url)
                .ok_or(Reason::NoId),
        };
        refused.id = id.as_ref().ok().cloned();
        let referred = refused.resource_type == "PractitionerRole";
        if !is_kept(refused.resource_type) && !referred {
            return Err(Reason::TypeNotKept);
        }
        let id = id?;
        json::check(json)?;
        if object.has("modifierExtension") {
            return Err(Reason::ModifierExtension);
        }
        Ok((id, json))
    };
    match read() {
        Ok((id, json)) => Ok(Resource {
            position: refused.position,
            resource_type: refused.resource_type,
            id,
            full_url: part.full_url,
            json,
        }),
        Err(reason) => Err(Refused {
            reason,
            full_url: part.full_url,
            ..refused
        }),
    }
}

/// Leaves one resource for each type and id: of several versions the one last updated, else the
/// last in the file; of different resources (by fullUrl) with one id, none.
fn settle<'a>(resources: Vec<Resource<'a>>, refused: &mut Vec<Refused>) -> Vec<Resource<'a>> {
    let mut groups: HashMap<(&'static str, &str), Vec<usize>> = HashMap::new();
    for (at, resource) in resources.iter().enumerate() {
        groups
            .entry((resource.resource_type, &resource.id))
            .or_default()
            .push(at);
    }
    let mut reasons: HashMap<usize, Reason> = HashMap::new();
    for places in groups.into_values().filter(|places| places.len() > 1) {
        let members = || {
            places
                .iter()
                .filter_map(|at| Some((*at, resources.get(*at)?)))
        };
        let mut urls = members()
            .filter_map(|(_, resource)| resource.full_url.as_deref())
            .map(unversioned);
        let first = urls.next();
        if urls.any(|url| Some(url) != first) {
            reasons.extend(places.iter().map(|at| (*at, Reason::AmbiguousId)));
            continue;
        }
        let newest = members().max_by_key(|(at, resource)| (last_updated(resource), *at));
        let lost = places
            .iter()
            .filter(|at| newest.as_ref().is_none_or(|(kept, _)| kept != *at));
        reasons.extend(lost.map(|at| (*at, Reason::Superseded)));
    }
    let mut kept = Vec::with_capacity(resources.len());
    for (at, resource) in resources.into_iter().enumerate() {
        match reasons.get(&at) {
            None => kept.push(resource),
            Some(reason) => refused.push(Refused {
                position: resource.position,
                resource_type: resource.resource_type,
                id: Some(resource.id),
                full_url: resource.full_url,
                reason: *reason,
            }),
        }
    }
    kept
}

fn last_updated(resource: &Resource<'_>) -> Option<String> {
    let meta = Object::parse(Object::parse(resource.json).ok()?.raw("meta")?).ok()?;
    let time = super::time::ClinicalTime::parse(&meta.text("lastUpdated").ok()??)?;
    Some(time.sort)
}

/// <https://hl7.org/fhir/R4/datatypes.html#id>
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

fn id_of_url(url: &str) -> Option<String> {
    let url = unversioned(url);
    let id = url
        .strip_prefix("urn:uuid:")
        .or_else(|| url.rsplit_once('/').map(|(_, id)| id))?;
    is_id(id).then(|| id.to_owned())
}

/// Without `/_history/<version>`: the portal keeps one version of a resource.
fn unversioned(url: &str) -> &str {
    url.split_once("/_history/").map_or(url, |(url, _)| url)
}

/// The server of an absolute `<base>/<type>/<id>`.
fn base_of(url: &str) -> Option<&str> {
    let url = unversioned(url);
    let (base, _id) = url.rsplit_once('/')?;
    let (base, _type) = base.rsplit_once('/')?;
    base.contains("://").then_some(base)
}

pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::document::split;

    fn link(reference: &str) -> Link {
        Link {
            reference: Some(reference.to_owned()),
            ..Link::default()
        }
    }

    /// Two patients on two servers, a practitioner with an NPI, and a role.
    const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"collection","entry":[
        {"fullUrl":"https://a.example/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1",
            "identifier":[{"system":"urn:mrn","value":"m|1"}]}},
        {"fullUrl":"https://b.example/fhir/Patient/2","resource":{"resourceType":"Patient","id":"2"}},
        {"fullUrl":"urn:uuid:0b7a6f0e-0000-4000-8000-000000000001","resource":{
            "resourceType":"Practitioner","id":"p",
            "identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1234567893"}]}},
        {"resource":{"resourceType":"PractitionerRole","id":"r",
            "practitioner":{"reference":"Practitioner/p"}}},
        {"resource":{"resourceType":"Location","id":"bad id"}},
        {"resource":{"resourceType":"Location","id":"twice","name":"\ud800"}}]}"#;

    fn resolved(reference: &str, from: usize) -> Target {
        let (index, _) = Index::of(split(BUNDLE.as_bytes()).unwrap().parts);
        index.resolve(&link(reference), index.resource(from).unwrap(), "Patient")
    }

    fn external(resource_type: &'static str, key: &str) -> Target {
        Target::External {
            resource_type,
            key: key.to_owned(),
        }
    }

    #[test]
    fn follows_each_form_of_reference() {
        for (reference, from, expected) in [
            ("https://a.example/fhir/Patient/1", 2, Target::File(0)),
            (
                "https://a.example/fhir/Patient/1/_history/3",
                2,
                Target::File(0),
            ),
            ("Patient/1", 0, Target::File(0)),
            ("Patient/1", 2, Target::File(0)),
            ("Patient/2", 2, Target::File(1)),
            ("Patient/2", 0, Target::Nowhere),
            ("https://c.example/fhir/Patient/1", 0, Target::Nowhere),
            ("Patient/9", 2, external("Patient", "id:9")),
            (
                "Patient/9",
                0,
                external("Patient", "id:https://a.example/fhir/Patient/9"),
            ),
            (
                "https://c.example/fhir/Patient/9/_history/2",
                2,
                external("Patient", "id:https://c.example/fhir/Patient/9"),
            ),
            (
                "urn:uuid:0b7a6f0e-0000-4000-8000-000000000001",
                0,
                Target::File(2),
            ),
            (
                "urn:uuid:0b7a6f0e-0000-4000-8000-000000000002",
                0,
                Target::Nowhere,
            ),
            ("Patient?identifier=urn:mrn|m|1", 2, Target::File(0)),
            ("Patient?identifier=urn%3Amrn%7Cm%7C1", 2, Target::File(0)),
            (
                "Patient?identifier=m%7C1",
                2,
                external("Patient", "identifier:m|1"),
            ),
            ("Practitioner?identifier=1234567893", 0, Target::Nowhere),
            (
                "Practitioner?identifier=urn:x|7",
                0,
                external("Practitioner", "identifier:urn:x|7"),
            ),
            ("Practitioner?identifier=|7", 0, Target::Nowhere),
            (
                "Patient?identifier=http://hl7.org/fhir/sid/us-ssn|999-12-3456",
                0,
                Target::Nowhere,
            ),
            ("Practitioner?name=Jane", 0, Target::Nowhere),
            ("Practitioner?identifier=%zz|7", 0, Target::Nowhere),
            ("#med", 0, Target::Contained("med".to_owned())),
            ("Location/bad id", 0, Target::Nowhere),
            ("Location/twice", 0, Target::Nowhere),
            ("Nonsense/1", 0, Target::Nowhere),
            ("a/b/Patient/1", 0, Target::Nowhere),
            ("", 0, Target::Nowhere),
        ] {
            assert_eq!(
                resolved(reference, from),
                expected,
                "{reference} from {from}"
            );
        }
    }

    #[test]
    fn a_role_leads_to_its_practitioner() {
        let (index, refused) = Index::of(split(BUNDLE.as_bytes()).unwrap().parts);
        let role = link("PractitionerRole/r");
        assert_eq!(
            index.practitioner(&role, index.resource(0).unwrap()),
            Target::File(2)
        );
        let reasons: Vec<_> = refused.iter().map(|refused| refused.reason).collect();
        assert_eq!(reasons, [Reason::BadId, Reason::Unreadable]);
    }

    #[test]
    fn versions_leave_one_and_strangers_with_one_id_leave_none() {
        let lines = concat!(
            r#"{"resourceType":"Patient","id":"1","meta":{"lastUpdated":"2021-01-01T00:00:00Z"}}"#,
            "\n",
            r#"{"resourceType":"Patient","id":"1","meta":{"lastUpdated":"2020-01-01T00:00:00Z"}}"#,
        );
        let (index, refused) = Index::of(split(lines.as_bytes()).unwrap().parts);
        assert_eq!(index.resources[0].position, 1);
        assert_eq!(
            (refused[0].position, refused[0].reason),
            (2, Reason::Superseded)
        );

        let bundle = BUNDLE
            .replace("b.example/fhir/Patient/2", "b.example/fhir/Patient/1")
            .replace(r#""id":"2""#, r#""id":"1""#);
        let (index, refused) = Index::of(split(bundle.as_bytes()).unwrap().parts);
        let lost = refused
            .iter()
            .filter(|refused| refused.reason == Reason::AmbiguousId);
        assert_eq!(lost.count(), 2);
        let from = index.resource(0).unwrap();
        assert_eq!(
            index.resolve(&link("Patient/1"), from, "Patient"),
            Target::Nowhere
        );
    }
}
