//! The documents against the code: links, anchors and paths lead somewhere, routes are those of the API,
//! and what the papers of compliance cite as evidence is there (docs/HIPAA.md says how they cite).

use crate::harness::root;
use crate::harness::world::specs;
use serde_json::Value;
use shared::api::Trigger;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What stands in backticks in these is a citation, or nothing that could be taken for one.
const PAPERS: [&str; 3] = ["docs/HIPAA.md", "docs/THREATS.md", "docs/runbooks/"];

/// The folders whose paths are written out in documents.
const FOLDERS: [&str; 9] = [
    "docs",
    "events",
    "functions",
    "infra",
    "shared",
    "tests",
    "web",
    "xtask",
    ".ci",
];

/// A document without its blocks of code.
struct Page {
    path: String,
    is_a_paper: bool,
    prose: String,
    headings: BTreeSet<String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
        let is_a_paper = PAPERS.iter().any(|paper| path.starts_with(paper));
        let mut prose = String::new();
        let mut slugs = BTreeMap::new();
        let mut headings = BTreeSet::new();
        let mut fenced = false;
        for line in text.lines() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                continue;
            }
            // Papers have steps within steps, and no code but within fences.
            if fenced || (!is_a_paper && line.starts_with("    ")) {
                continue;
            }
            if line.starts_with('#') {
                let slug = slug(line.trim_start_matches('#').trim());
                let before = slugs.entry(slug.clone()).or_insert(0);
                headings.insert(match *before {
                    0 => slug,
                    number => format!("{slug}-{number}"),
                });
                *before += 1;
            }
            prose.push_str(line);
            prose.push('\n');
        }
        assert!(!fenced, "{path}: a block of code does not end");
        Self {
            path: path.to_owned(),
            is_a_paper,
            prose,
            headings,
        }
    }

    /// What stands in backticks, and what stands outside them.
    fn spans_and_text(&self) -> (Vec<String>, String) {
        let (mut spans, mut text) = (Vec::new(), String::new());
        for paragraph in self.prose.split("\n\n") {
            for (at, piece) in paragraph.split('`').enumerate() {
                if at % 2 == 0 {
                    text.push_str(piece);
                } else {
                    let words: Vec<_> = piece.split_whitespace().collect();
                    spans.push(words.join(" "));
                }
            }
            assert!(
                paragraph.matches('`').count().is_multiple_of(2),
                "{}: a backtick is alone: {paragraph}",
                self.path
            );
            text.push_str("\n\n");
        }
        (spans, text)
    }
}

/// A heading's anchor, as GitHub makes it.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn pages() -> Vec<Page> {
    let mut pages = vec![Page::read(&root().join("README.md"))];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.push(Page::read(&path));
            }
        }
    }
    pages
}

/// A source file, or why there is none.
fn source(path: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(path)).map_err(|_| format!("there is no {path}"))
}

/// Is this function a test of the file's?
fn is_test(code: &str, name: &str) -> bool {
    let lines: Vec<_> = code.lines().map(str::trim).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let function = line.trim_start_matches("async ");
        function.starts_with(&format!("fn {name}("))
            && lines[..at]
                .iter()
                .rev()
                .take_while(|line| line.starts_with("#["))
                .any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
    })
}

fn test(cited: &str) -> Result<(), String> {
    let (file, name) = cited.rsplit_once("::").ok_or("a test has no name")?;
    let path = if file.contains('/') {
        format!("{file}.rs")
    } else {
        format!("tests/portal/{}.rs", file.replace("::", "/"))
    };
    let found = is_test(&source(&path)?, name);
    found
        .then_some(())
        .ok_or_else(|| format!("{path} has no such test"))
}

/// A test of the browsers' library or a journey, which have sentences for names.
fn sentence(folder: &str, end: &str, cited: &str) -> Result<(), String> {
    let (file, name) = cited.split_once("::").ok_or("a test has no name")?;
    let path = format!("{folder}/{file}.{end}");
    let code = source(&path)?;
    let found = ['\'', '"']
        .iter()
        .any(|quote| code.contains(&format!("test({quote}{name}{quote}")));
    found
        .then_some(())
        .ok_or_else(|| format!("{path} has no such test"))
}

/// Every stack by its file's name; the root's is `template`.
static STACKS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let infra = std::fs::read_dir(root().join("infra")).unwrap();
    let files = infra.map(|entry| entry.unwrap().path());
    files
        .chain([root().join("template.yaml")])
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, xtask::template::read(&path).unwrap())
        })
        // The exceptions from the rules stand beside the stacks.
        .filter(|(_, stack)| stack["Resources"].is_object())
        .collect()
});

/// A resource or a parameter of a stack.
fn template(cited: &str) -> Result<(), String> {
    let (name, id) = cited.split_once('/').unwrap_or(("template", cited));
    let stack = STACKS
        .get(name)
        .ok_or_else(|| format!("there is no stack {name}"))?;
    let found = ["Resources", "Parameters"]
        .iter()
        .any(|section| stack[section][id].is_object());
    found
        .then_some(())
        .ok_or_else(|| format!("the stack {name} has no such resource or parameter"))
}

fn policy(cited: &str) -> Result<(), String> {
    let policies = source("shared/policies/portal.cedar")?;
    let found = policies.contains(&format!("@id(\"{cited}\")"));
    found.then_some(()).ok_or_else(|| "no such policy".into())
}

fn operation(cited: &str) -> Result<(), String> {
    let found = specs().iter().any(|spec| spec.id == cited);
    found
        .then_some(())
        .ok_or_else(|| "no such operation".into())
}

/// `break-glass`: lower case, with hyphens.
fn is_kebab(word: &str) -> bool {
    word.contains('-')
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

/// A kind of citation and what it cites; a word with hyphens is an operation.
fn cited(span: &str) -> Option<(&str, &str)> {
    if is_kebab(span) {
        return Some(("operation", span));
    }
    let (kind, cited) = span.split_once(':')?;
    let is_word = !kind.is_empty() && kind.chars().all(|c| c.is_ascii_lowercase());
    (is_word && !cited.starts_with("//")).then_some((kind, cited))
}

/// Is what a span cites there? `None` where it cites nothing.
fn check(span: &str) -> Option<Result<(), String>> {
    let (kind, cited) = cited(span)?;
    Some(match kind {
        "test" => test(cited),
        "journey" => sentence("tests/e2e", "test.mjs", cited),
        "app" => sentence("tests/e2e/web", "test.mjs", cited),
        "browser" => sentence("web/src", "test.ts", cited),
        "template" => template(cited),
        "policy" => policy(cited),
        "operation" => operation(cited),
        _ => Err("no such kind of citation".into()),
    })
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let mut links = 0;
    for page in &pages {
        let here = PathBuf::from(&page.path);
        for link in page.spans_and_text().1.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.starts_with("https://") || link.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = match file {
                "" => root().join(&here),
                file => root().join(&here).parent().unwrap().join(file),
            };
            let to = to
                .canonicalize()
                .unwrap_or_else(|_| panic!("{}: {link} leads nowhere", page.path));
            let to = to.strip_prefix(root()).unwrap().to_str().unwrap();
            if anchor.is_empty() {
                continue;
            }
            let target = pages.iter().find(|page| page.path == to);
            let target = target.unwrap_or_else(|| panic!("{}: {link} is no document", page.path));
            assert!(
                target.headings.contains(anchor),
                "{}: {link}: there is no such heading",
                page.path
            );
        }
    }
    assert!(links > 40, "{links} links are not all that there are");
}

#[test]
fn paths_are_there() {
    let mut paths = 0;
    for page in pages() {
        for word in page
            .prose
            .split(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c)))
        {
            let word = word.trim_end_matches('.');
            let within = |folder: &&str| word.starts_with(&format!("{folder}/"));
            if FOLDERS.iter().any(within) {
                paths += 1;
                // Citations of tests leave the ending out.
                let is_there =
                    root().join(word).exists() || root().join(format!("{word}.rs")).exists();
                assert!(is_there, "{}: there is no {word}", page.path);
            }
        }
    }
    assert!(paths > 40, "{paths} paths are not all that there are");
}

#[test]
fn routes_are_those_of_the_api() {
    let routes: BTreeSet<_> = specs()
        .iter()
        .filter_map(|spec| match spec.trigger {
            Trigger::Http { method, path, .. } => Some(format!("{} {path}", method.as_str())),
            Trigger::Socket { .. } | Trigger::Event => None,
        })
        .collect();
    let mut written = BTreeSet::new();
    for page in pages() {
        for span in page.spans_and_text().0 {
            let Some((method, path)) = span.split_once(' ') else {
                continue;
            };
            if !method.chars().all(|c| c.is_ascii_uppercase()) || !path.starts_with("/v1/") {
                continue;
            }
            let route = format!("{method} {}", path.split('?').next().unwrap());
            assert!(
                routes.contains(&route),
                "{}: there is no {route}",
                page.path
            );
            written.insert(route);
        }
    }
    // README's table has them all, but for those that share a line.
    assert!(written.len() > 90, "{} routes", written.len());
}

#[test]
fn what_is_cited_is_there() {
    let mut citations = BTreeMap::new();
    for page in pages() {
        if !page.is_a_paper {
            continue;
        }
        let mut count = 0;
        for span in page.spans_and_text().0 {
            if let Some(found) = check(&span) {
                count += 1;
                if let Err(why) = found {
                    panic!("{}: `{span}`: {why}", page.path);
                }
            }
        }
        citations.insert(page.path, count);
    }
    assert!(citations["docs/HIPAA.md"] > 100, "{citations:?}");
    assert!(citations["docs/THREATS.md"] > 50, "{citations:?}");
    let runbooks =
        |count: &(&String, &usize)| count.0.starts_with("docs/runbooks/") && *count.1 > 0;
    assert!(
        citations.iter().filter(runbooks).count() >= 8,
        "{citations:?}"
    );
}

/// What the papers may get wrong, and would be believed.
#[test]
fn what_is_not_there_is_found() {
    for right in [
        "test:emergencies::an_hour_and_not_a_second_longer",
        "test:appointments::race::one_time_one_appointment",
        "test:shared/src/phi/envelope::commits_to_the_key",
        "journey:emergencies::not justified, it ends with the next request",
        "app:patient::nobody there: a warning after 13 minutes, the end after 15",
        "browser:messages/thread::a message is replayed: replayed",
        "template:audit/AuditTable",
        "template:LogRetentionDays",
        "policy:break-glass",
        "break-glass",
    ] {
        assert_eq!(check(right), Some(Ok(())), "{right}");
    }
    for wrong in [
        // No such test; a function that is none; a file that is not there; a test without a file.
        "test:emergencies::two_hours",
        "test:template::statements",
        "test:emergency::an_hour_and_not_a_second_longer",
        "test:an_hour_and_not_a_second_longer",
        "journey:emergencies::not justified, it ends",
        "app:emergencies::not justified, it ends with the next request",
        "browser:messages/thread::a message is replayed",
        "template:audit/AccountsTable",
        "template:AuditTable",
        "policy:break-the-glass",
        "break-the-glass",
        "tests:emergencies::an_hour_and_not_a_second_longer",
    ] {
        assert!(matches!(check(wrong), Some(Err(_))), "{wrong}");
    }
    for other in [
        "shared/policies/portal.cedar",
        "https://portal.invalid",
        "$stack",
    ] {
        assert_eq!(check(other), None, "{other}");
    }
    assert_eq!(
        slug("164.308(a)(1)(i) Security management"),
        "164308a1i-security-management"
    );
}

/// The standards and implementation specifications of the Security Rule, in its own words' order.
const SECURITY_RULE: [&str; 66] = [
    "164.308(a)(1)(i)",
    "164.308(a)(1)(ii)(A)",
    "164.308(a)(1)(ii)(B)",
    "164.308(a)(1)(ii)(C)",
    "164.308(a)(1)(ii)(D)",
    "164.308(a)(2)",
    "164.308(a)(3)(i)",
    "164.308(a)(3)(ii)(A)",
    "164.308(a)(3)(ii)(B)",
    "164.308(a)(3)(ii)(C)",
    "164.308(a)(4)(i)",
    "164.308(a)(4)(ii)(A)",
    "164.308(a)(4)(ii)(B)",
    "164.308(a)(4)(ii)(C)",
    "164.308(a)(5)(i)",
    "164.308(a)(5)(ii)(A)",
    "164.308(a)(5)(ii)(B)",
    "164.308(a)(5)(ii)(C)",
    "164.308(a)(5)(ii)(D)",
    "164.308(a)(6)(i)",
    "164.308(a)(6)(ii)",
    "164.308(a)(7)(i)",
    "164.308(a)(7)(ii)(A)",
    "164.308(a)(7)(ii)(B)",
    "164.308(a)(7)(ii)(C)",
    "164.308(a)(7)(ii)(D)",
    "164.308(a)(7)(ii)(E)",
    "164.308(a)(8)",
    "164.308(b)(1)",
    "164.308(b)(2)",
    "164.308(b)(3)",
    "164.310(a)(1)",
    "164.310(a)(2)(i)",
    "164.310(a)(2)(ii)",
    "164.310(a)(2)(iii)",
    "164.310(a)(2)(iv)",
    "164.310(b)",
    "164.310(c)",
    "164.310(d)(1)",
    "164.310(d)(2)(i)",
    "164.310(d)(2)(ii)",
    "164.310(d)(2)(iii)",
    "164.310(d)(2)(iv)",
    "164.312(a)(1)",
    "164.312(a)(2)(i)",
    "164.312(a)(2)(ii)",
    "164.312(a)(2)(iii)",
    "164.312(a)(2)(iv)",
    "164.312(b)",
    "164.312(c)(1)",
    "164.312(c)(2)",
    "164.312(d)",
    "164.312(e)(1)",
    "164.312(e)(2)(i)",
    "164.312(e)(2)(ii)",
    "164.314(a)(1)",
    "164.314(a)(2)(i)",
    "164.314(a)(2)(ii)",
    "164.314(a)(2)(iii)",
    "164.314(b)(1)",
    "164.314(b)(2)",
    "164.316(a)",
    "164.316(b)(1)",
    "164.316(b)(2)(i)",
    "164.316(b)(2)(ii)",
    "164.316(b)(2)(iii)",
];

/// Each has a row of its own, which says what provides it, by what one can see that, and what is left.
#[test]
fn every_safeguard_has_its_row() {
    let text = source("docs/HIPAA.md").unwrap();
    for safeguard in SECURITY_RULE {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| {safeguard} ")));
        let row = row.unwrap_or_else(|| panic!("{safeguard} has no row"));
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, provided, evidence, left] = cells[..] else {
            panic!("{safeguard}: {} cells", cells.len());
        };
        for cell in [provided, evidence, left] {
            assert!(!cell.is_empty(), "{safeguard}: an empty cell");
        }
        let has_evidence = evidence.contains('`') || evidence.contains("](");
        assert_eq!(has_evidence, evidence != "none", "{safeguard}: {evidence}");
        // What nothing shows, nothing provides.
        assert_eq!(provided == "Nothing.", evidence == "none", "{safeguard}");
    }
}

/// Whoever is woken by an alarm finds what to do about it, by its name.
#[test]
fn every_alarm_has_its_line() {
    let runbooks = source("docs/runbooks/README.md").unwrap();
    let mut missing = Vec::new();
    for (name, stack) in STACKS.iter() {
        for (id, resource) in stack["Resources"].as_object().unwrap() {
            let citation = format!("`template:{name}/{id}`");
            if resource["Type"] == "AWS::CloudWatch::Alarm" && !runbooks.contains(&citation) {
                missing.push(citation);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
