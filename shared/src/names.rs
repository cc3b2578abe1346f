//! Family names as they are searched for: how somebody types a name must not matter.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The shortest and the longest beginning of a name by which patients can be found, in letters.
pub const PREFIX: std::ops::RangeInclusive<usize> = 2..=10;

/// A family name's letters in lower case, without accents, blanks, hyphens and apostrophes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct FamilyName(String);

impl FamilyName {
    /// None if there is no letter in it.
    pub fn of(name: &str) -> Option<Self> {
        // Compatibility decomposition parts letters from their marks; lower case may make new ones.
        let letters: String = name
            .nfkd()
            .flat_map(char::to_lowercase)
            .nfkd()
            .filter(|letter| letter.is_alphabetic() && !is_combining_mark(*letter))
            .collect();
        (!letters.is_empty()).then_some(Self(letters))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many letters it has.
    pub fn letters(&self) -> usize {
        self.0.chars().count()
    }

    /// Its beginning, or all of a shorter name.
    pub fn prefix(&self, letters: usize) -> &str {
        let end = self.0.char_indices().nth(letters);
        end.and_then(|(at, _)| self.0.get(..at)).unwrap_or(&self.0)
    }

    /// Every beginning by which it can be found.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        let longest = self.letters().min(*PREFIX.end());
        (*PREFIX.start()..=longest).map(|letters| self.prefix(letters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Option<String> {
        FamilyName::of(name).map(|name| name.0)
    }

    #[test]
    fn how_a_name_is_typed_does_not_matter() {
        for (one, other) in [
            ("Ordóñez", "ORDONEZ"),
            ("Ordo\u{301}n\u{303}ez", "ordóñez"),
            ("O'Keefe", "okeefe"),
            ("O\u{2019}Keefe54", "O Keefe"),
            ("D'Amore-Roe", "damoreroe"),
            ("İnci", "inci"),
            ("Ｌｉｎｄ", "lind"),
            ("Ἀθηνᾶ", "αθηνα"),
        ] {
            assert_eq!(of(one), of(other), "{one}");
        }
        assert_eq!(of("李").as_deref(), Some("李"));
        assert_eq!(of("54 '-"), None);
    }

    #[test]
    fn prefixes_have_two_to_ten_letters() {
        let name = FamilyName::of("Ñandú").unwrap();
        assert_eq!(
            name.prefixes().collect::<Vec<_>>(),
            ["na", "nan", "nand", "nandu"]
        );
        let long = FamilyName::of("Featherstonehaugh").unwrap();
        assert_eq!(
            long.prefixes().last(),
            Some("featherst".to_owned() + "o").as_deref()
        );
        assert_eq!(FamilyName::of("Y").unwrap().prefixes().count(), 0);
    }
}
