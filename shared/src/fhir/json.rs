//! JSON objects read member by member, so that what is wrong can be named and the rest stays raw.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::reason::Reason;

/// The most members that one JSON object may have: bounds the memory a hostile object can take.
pub const MAX_MEMBERS: usize = 10_000;

/// The most values, at any depth, in a resource that is kept: bounds what a view of it can take.
pub const MAX_VALUES: usize = 50_000;

/// Objects of this many members are searched for repeated keys by comparison, larger ones by hash.
const FEW: usize = 16;

/// One object's members in their order, values as they stand in the input.
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    pub(super) fn parse(json: &'a RawValue) -> Result<Self, Reason> {
        Self::parse_str(json.get())
    }

    pub(super) fn parse_str(json: &'a str) -> Result<Self, Reason> {
        let fault = Cell::new(None);
        let mut reader = serde_json::Deserializer::from_str(json);
        let members = de::DeserializeSeed::deserialize(Members(&fault), &mut reader)
            .and_then(|members| reader.end().map(|()| members));
        members
            .map(Self)
            .map_err(|_| fault.get().unwrap_or(Reason::NotJson))
    }

    /// The member as it stands in the input; `null` counts as absent.
    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (value.get() != "null").then_some(*value)
    }

    /// The member read as `T`, if it is there.
    pub(super) fn get<T: Deserialize<'a>>(&self, name: &'static str) -> Result<Option<T>, Reason> {
        self.raw(name)
            .map(|raw| serde_json::from_str(raw.get()).map_err(|_| Reason::Malformed(name)))
            .transpose()
    }

    /// The member read as a list; an absent one is empty.
    pub(super) fn list<T: Deserialize<'a>>(&self, name: &'static str) -> Result<Vec<T>, Reason> {
        Ok(self.get(name)?.unwrap_or_default())
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, Reason> {
        self.get(name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), *value))
    }
}

struct Members<'c>(&'c Cell<Option<Reason>>);

impl<'de> de::DeserializeSeed<'de> for Members<'_> {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = Keys::new(self.0);
        let mut members = Vec::new();
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            keys.admit(key.clone())?;
            members.push((key, value));
        }
        Ok(members)
    }
}

/// Reads all of a value to find what would trip a later reader: repeated keys, lone surrogates,
/// numbers out of range, more values than fit.
pub(super) fn check(json: &RawValue) -> Result<(), Reason> {
    let fault = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_str(json.get());
    let values = Cell::new(0);
    let check = Check {
        fault: &fault,
        values: &values,
    };
    de::DeserializeSeed::deserialize(check, &mut reader)
        .map_err(|_| fault.get().unwrap_or(Reason::Unreadable))
}

#[derive(Clone, Copy)]
struct Check<'c> {
    fault: &'c Cell<Option<Reason>>,
    values: &'c Cell<usize>,
}

impl<'de> de::DeserializeSeed<'de> for Check<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > MAX_VALUES {
            self.fault.set(Some(Reason::TooManyMembers));
            return Err(de::Error::custom(""));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = Keys::new(self.fault);
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            keys.admit(key)?;
            map.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// The keys of one object so far: none may come twice
/// (<https://hl7.org/fhir/R4/json.html>, RFC 8259 section 4).
struct Keys<'de, 'c> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
    fault: &'c Cell<Option<Reason>>,
}

impl<'de, 'c> Keys<'de, 'c> {
    fn new(fault: &'c Cell<Option<Reason>>) -> Self {
        Self {
            few: Vec::new(),
            many: HashSet::new(),
            fault,
        }
    }

    fn admit<E: de::Error>(&mut self, key: Cow<'de, str>) -> Result<(), E> {
        if self.few.len() < FEW {
            if self.few.contains(&key) {
                return self.refuse(Reason::DuplicateKey);
            }
            self.few.push(key);
        } else {
            if self.few.contains(&key) || !self.many.insert(key) {
                return self.refuse(Reason::DuplicateKey);
            }
            if self.few.len() + self.many.len() > MAX_MEMBERS {
                return self.refuse(Reason::TooManyMembers);
            }
        }
        Ok(())
    }

    fn refuse<E: de::Error>(&self, reason: Reason) -> Result<(), E> {
        self.fault.set(Some(reason));
        Err(E::custom(""))
    }
}

/// A key, borrowed unless it holds an escape.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn finds_what_would_trip_a_later_reader() {
        let many = format!(
            "{{{}}}",
            (0..20)
                .map(|i| format!("\"k{i}\":1"))
                .collect::<Vec<_>>()
                .join(",")
        );
        let many_twice = many.replace("\"k19\"", "\"k18\"");
        for (json, expected) in [
            (r#"{"a":{"b":[1.10,"\u00e9",null,true]}}"#, Ok(())),
            (r#"{"a":[{"b":1,"b":2}]}"#, Err(Reason::DuplicateKey)),
            (r#"{"a":1,"\u0061":2}"#, Err(Reason::DuplicateKey)),
            (r#"{"a":"\ud800"}"#, Err(Reason::Unreadable)),
            (r#"{"a":1e999}"#, Err(Reason::Unreadable)),
            (many.as_str(), Ok(())),
            (many_twice.as_str(), Err(Reason::DuplicateKey)),
        ] {
            assert_eq!(check(raw(json)), expected, "{json}");
        }
        let huge = format!(
            "{{{}}}",
            (0..=MAX_MEMBERS)
                .map(|i| format!("\"{i}\":1"))
                .collect::<Vec<_>>()
                .join(",")
        );
        assert_eq!(check(raw(&huge)), Err(Reason::TooManyMembers));
        let long = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert_eq!(check(raw(&long)), Err(Reason::TooManyMembers));
    }

    #[test]
    fn names_the_member_that_is_wrong() {
        let object = Object::parse_str(r#" {"status": 7, "code": null} "#).unwrap();
        assert_eq!(object.text("status"), Err(Reason::Malformed("status")));
        assert_eq!(object.text("code"), Ok(None));
        assert!(Object::parse_str("[]").is_err());
        assert!(Object::parse_str("{} {}").is_err());
    }
}
