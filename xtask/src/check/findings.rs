//! What the rules find, against the exceptions that are written down: anything new fails, and so does
//! an exception that nothing needs any more.
use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;

/// A rule that something does not follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// `stack.LogicalId` of a resource; path and digest of what looks like a secret.
    pub(super) resource: String,
    /// The resource's type, as `AWS::Lambda::Function`; nothing of a file.
    pub(super) kind: String,
    pub(super) rule: String,
    /// What the rule says of itself.
    pub(super) text: String,
}

/// Why a rule is not followed, and where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exception {
    rule: String,
    reason: String,
    #[serde(default)]
    resources: BTreeSet<String>,
    /// Every resource of this type, in every stack.
    of: Option<String>,
}

impl Exception {
    fn covers(&self, finding: &Finding) -> bool {
        self.rule == finding.rule
            && (self.of.as_ref() == Some(&finding.kind)
                || self.resources.contains(&finding.resource))
    }
}

/// The exceptions of a file, each with its reason.
pub(super) fn exceptions(file: &Path) -> Result<Vec<Exception>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse(&text).with_context(|| file.display().to_string())
}

fn parse(text: &str) -> Result<Vec<Exception>> {
    let exceptions: Vec<Exception> = serde_saphyr::from_str(text).map_err(|e| anyhow!("{e}"))?;
    for exception in &exceptions {
        let Exception {
            rule,
            reason,
            resources,
            of,
        } = exception;
        ensure!(!reason.trim().is_empty(), "no reason is given for {rule}");
        ensure!(
            of.is_some() == resources.is_empty(),
            "the exception of {rule} is either of a type or for resources"
        );
    }
    Ok(exceptions)
}

/// Whatever keeps the gate shut, a line each; nothing if it opens.
pub(super) fn compare(findings: &[Finding], exceptions: &[Exception]) -> Vec<String> {
    let new = findings
        .iter()
        .filter(|finding| !exceptions.iter().any(|one| one.covers(finding)))
        .map(|finding| {
            let Finding {
                resource,
                rule,
                text,
                ..
            } = finding;
            format!("new: {resource} does not follow {rule}: {text}")
        });
    let stale = exceptions.iter().flat_map(|exception| {
        let rule = &exception.rule;
        let followed = move |is_it: &dyn Fn(&Finding) -> bool| {
            !findings
                .iter()
                .any(|finding| finding.rule == *rule && is_it(finding))
        };
        let of = exception.of.iter();
        let of = of.filter(move |kind| followed(&|finding| finding.kind == **kind));
        let resources = exception.resources.iter();
        let resources = resources.filter(move |id| followed(&|finding| finding.resource == **id));
        of.chain(resources)
            .map(move |what| format!("stale: {what} follows {rule}; remove the exception"))
    });
    let repeated = exceptions
        .iter()
        .enumerate()
        .flat_map(|(index, exception)| {
            let earlier = exceptions.iter().take(index);
            let earlier = earlier.filter(move |other| {
                other.rule == exception.rule
                    && (!other.resources.is_disjoint(&exception.resources)
                        || (other.of.is_some() && other.of == exception.of))
            });
            earlier.map(move |_| format!("twice: an exception of {}", exception.rule))
        });
    new.chain(stale).chain(repeated).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(resource: &str, kind: &str, rule: &str) -> Finding {
        Finding {
            resource: resource.into(),
            kind: kind.into(),
            rule: rule.into(),
            text: "Why it matters.".into(),
        }
    }

    #[test]
    fn what_nobody_excepted_is_named_with_its_rule() {
        let open = finding("data.Table", "AWS::DynamoDB::Table", "Encrypted");
        let outcome = compare(std::slice::from_ref(&open), &[]);
        assert_eq!(
            outcome,
            ["new: data.Table does not follow Encrypted: Why it matters."]
        );
        // The same rule elsewhere, or another rule here, excepts nothing.
        let other = "[{rule: Encrypted, reason: so, resources: [data.Other]},
                      {rule: Kept, reason: so, resources: [data.Table]}]";
        let outcome = compare(&[open], &parse(other).unwrap());
        assert_eq!(outcome.len(), 3, "{outcome:?}");
    }

    #[test]
    fn an_exception_holds_for_what_it_names() {
        let findings = [
            finding("portal.One", "AWS::Lambda::Function", "Queue"),
            finding("portal.Two", "AWS::Lambda::Function", "Queue"),
            finding("data.Table", "AWS::DynamoDB::Table", "Encrypted"),
        ];
        let exceptions = "[{rule: Queue, reason: so, of: 'AWS::Lambda::Function'},
                           {rule: Encrypted, reason: so, resources: [data.Table]}]";
        let exceptions = parse(exceptions).unwrap();
        assert_eq!(compare(&findings, &exceptions), Vec::<String>::new());
    }

    #[test]
    fn an_exception_that_nothing_needs_fails() {
        let findings = [finding("data.Table", "AWS::DynamoDB::Table", "Encrypted")];
        let exceptions = "[{rule: Encrypted, reason: so, resources: [data.Table, data.Gone]},
                           {rule: Queue, reason: so, of: 'AWS::Lambda::Function'}]";
        assert_eq!(
            compare(&findings, &parse(exceptions).unwrap()),
            [
                "stale: data.Gone follows Encrypted; remove the exception",
                "stale: AWS::Lambda::Function follows Queue; remove the exception",
            ]
        );
    }

    #[test]
    fn an_exception_without_a_reason_or_a_place_fails() {
        for text in [
            "[{rule: Encrypted, reason: ' ', resources: [data.Table]}]",
            "[{rule: Encrypted, resources: [data.Table]}]",
            "[{rule: Encrypted, reason: so}]",
            "[{rule: Encrypted, reason: so, of: Kind, resources: [data.Table]}]",
            "[{rule: Encrypted, reason: so, resource: data.Table}]",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let twice = "[{rule: Encrypted, reason: so, resources: [data.Table]},
                      {rule: Encrypted, reason: or so, resources: [data.Table]}]";
        let findings = [finding("data.Table", "AWS::DynamoDB::Table", "Encrypted")];
        let outcome = compare(&findings, &parse(twice).unwrap());
        assert_eq!(outcome, ["twice: an exception of Encrypted"]);
    }
}
