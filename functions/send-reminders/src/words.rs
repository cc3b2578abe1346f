//! What a reminder says. Whoever sees the phone or carries the mail learns that there is an appointment,
//! and neither when and with whom nor what for.

/// A reminder in one language.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) subject: &'static str,
    pub(crate) text: &'static str,
}

const ENGLISH: Words = Words {
    subject: "Appointment reminder",
    text: "You have an appointment. Sign in to see it.",
};

const SPANISH: Words = Words {
    subject: "Recordatorio de cita",
    text: "Tiene una cita. Inicie sesión para verla.",
};

/// The words for a language (BCP 47): English unless there are others.
pub(crate) fn of(language: Option<&str>) -> &'static Words {
    let primary = language.and_then(|tag| tag.split('-').next());
    match primary {
        Some(tag) if tag.eq_ignore_ascii_case("es") => &SPANISH,
        _ => &ENGLISH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_its_first_part() {
        for spanish in ["es", "es-MX", "ES"] {
            assert_eq!(of(Some(spanish)), &SPANISH);
        }
        for other in [None, Some("en-US"), Some("est"), Some(""), Some("fr")] {
            assert_eq!(of(other), &ENGLISH);
        }
    }
}
