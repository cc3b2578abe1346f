//! The record as one HTML file: no scripts, nothing from elsewhere, readable on paper
//! (WCAG 2.1: headings, captions, header cells, a language).

use crate::manifest::Manifest;
use crate::page::{Page, Table};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const STYLE: &str = "\
body{font:1rem/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem;color:#1a1a1a;background:#fff}\
h1{font-size:1.8rem}h2{font-size:1.3rem;margin-top:2.5rem}h3{font-size:1rem}\
a{color:#00538c}table{border-collapse:collapse;width:100%}\
caption{text-align:left;padding:.3rem 0;color:#444}\
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #bbb;overflow-wrap:anywhere}\
pre{white-space:pre-wrap;font:inherit;border-left:.2rem solid #bbb;padding-left:1rem}\
@media print{body{max-width:none;padding:0;font-size:9pt}nav{display:none}tr{break-inside:avoid}h2,h3{break-after:avoid}thead{display:table-header-group}}";

pub(crate) fn make(page: &Page, manifest: &Manifest) -> Vec<u8> {
    let mut out = Html(String::new());
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    out.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.raw(&format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'\">\n"
    ));
    out.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.raw("<meta name=\"referrer\" content=\"no-referrer\">\n");
    out.element("title", &page.title);
    out.raw(&format!(
        "<style>{STYLE}</style>\n</head>\n<body>\n<header>\n"
    ));
    out.element("h1", &page.title);
    out.element(
        "p",
        &format!(
            "As of {} UTC: {}.",
            manifest.made_at().strftime("%Y-%m-%d %H:%M"),
            manifest.days()
        ),
    );
    out.raw("</header>\n<nav aria-label=\"Sections\">\n<ul>\n");
    for (index, table) in page.tables.iter().enumerate() {
        out.raw(&format!("<li><a href=\"#s{index}\">"));
        out.text(&format!("{} ({})", table.title, table.rows.len()));
        out.raw("</a></li>\n");
    }
    out.raw("<li><a href=\"#notes\">Notes</a></li>\n<li><a href=\"#about\">About this copy</a></li>\n</ul>\n</nav>\n<main>\n");
    out.raw("<section aria-labelledby=\"who\">\n<h2 id=\"who\">Patient</h2>\n<table>\n<tbody>\n");
    for (name, value) in &page.facts {
        out.raw("<tr><th scope=\"row\">");
        out.text(name);
        out.raw("</th><td>");
        out.text(value);
        out.raw("</td></tr>\n");
    }
    out.raw("</tbody>\n</table>\n</section>\n");
    for (index, table) in page.tables.iter().enumerate() {
        out.table(index, table);
    }
    out.raw("<section aria-labelledby=\"notes\">\n<h2 id=\"notes\">Notes</h2>\n");
    if page.notes.is_empty() {
        out.element("p", "None.");
    }
    for note in &page.notes {
        out.element("h3", &note.title);
        out.element("pre", &note.text);
    }
    out.raw("</section>\n<section aria-labelledby=\"about\">\n<h2 id=\"about\">About this copy</h2>\n<ul>\n");
    for remark in manifest.remarks() {
        out.element("li", &remark);
    }
    out.raw("</ul>\n</section>\n</main>\n</body>\n</html>\n");
    out.0.into_bytes()
}

struct Html(String);

impl Html {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// Text, which is never markup. Control characters are not allowed in HTML.
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\'' => self.raw("&#39;"),
                '\n' | '\t' => self.0.push(c),
                c if c.is_control() => {}
                c => self.0.push(c),
            }
        }
    }

    fn element(&mut self, name: &str, text: &str) {
        self.raw(&format!("<{name}>"));
        self.text(text);
        self.raw(&format!("</{name}>\n"));
    }

    fn table(&mut self, index: usize, table: &Table) {
        self.raw(&format!(
            "<section aria-labelledby=\"s{index}\">\n<h2 id=\"s{index}\">"
        ));
        self.text(table.title);
        self.raw("</h2>\n");
        if table.rows.is_empty() {
            self.element("p", "None.");
            self.raw("</section>\n");
            return;
        }
        self.raw("<table>\n");
        let count = table.rows.len();
        let entries = if count == 1 { "entry" } else { "entries" };
        self.element(
            "caption",
            &format!("{}: {count} {entries}, newest first", table.title),
        );
        self.raw("<thead>\n<tr>");
        for column in table.columns {
            self.raw("<th scope=\"col\">");
            self.text(column);
            self.raw("</th>");
        }
        self.raw("</tr>\n</thead>\n<tbody>\n");
        for row in &table.rows {
            self.raw("<tr>");
            for cell in row {
                self.raw("<td>");
                self.text(cell);
                self.raw("</td>");
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table>\n</section>\n");
    }
}
