//! Codes: words that mean one thing, the same in requests, answers, rows and audit records.

/// Declares an enum of codes.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident {
        $(#[$first_doc:meta])* $first:ident = $first_code:literal
        $(, $(#[$next_doc:meta])* $next:ident = $next_code:literal)* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum $name {
            $(#[$first_doc])* $first,
            $($(#[$next_doc])* $next,)*
        }

        #[cfg(feature = "openapi")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($name)).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "enum": [$first_code $(, $next_code)*],
                })
            }
        }

        impl $name {
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_code,
                    $(Self::$next => $next_code,)*
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = &'static str;

            fn from_str(code: &str) -> Result<Self, &'static str> {
                match code {
                    $first_code => Ok(Self::$first),
                    $($next_code => Ok(Self::$next),)*
                    _ => Err(concat!("must be ", $first_code $(, " or ", $next_code)*)),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(code: String) -> Result<Self, &'static str> {
                code.parse()
            }
        }

        impl From<$name> for &'static str {
            fn from(code: $name) -> Self {
                code.as_str()
            }
        }
    };
}

pub(crate) use codes;
