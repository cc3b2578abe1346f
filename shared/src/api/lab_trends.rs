//! The results of one analyte over time.

use super::days::Days;
use super::lab_results::LabResult;
use super::observations::{Flag, flags};
use super::page::{Limit, Page};
use super::text::Date;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::aws::Capability::{ReadAccounts, ReadPatients, ReadRecords, UnwrapDataKeys, WriteAudit};
use crate::fhir::CodeableConcept;
use crate::fhir::observation::{Quantity, Value};
use crate::http::{Problem, Request};
use crate::ids::{PatientId, RecordId, SeriesId};
use crate::store::Span;
use serde::{Deserialize, Serialize};

/// One analyte over time, newest first.
pub struct GetLabTrend;

/// A page of a trend: its results in lines that may be drawn as such, because all of one have the
/// same unit, and those that no line can hold.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Trend {
    pub series: SeriesId,
    /// The name of what was measured, as the newest result of the page has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loinc: Option<String>,
    pub lines: Vec<Line>,
    /// Results without a number: coded, in words, with none at all, or unreadable.
    pub others: Vec<LabResult>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Results of one unit, of one component where results have several.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_loinc: Option<String>,
    /// As supplied; absent where none was. Units that are written otherwise are other units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    pub points: Vec<Point>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Point {
    /// The result.
    pub id: RecordId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Every digit, as supplied.
    pub value: String,
    /// The same for a chart.
    pub number: f64,
    /// `<`, `<=`, `>=` or `>`: the number is a bound and not the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparator: Option<String>,
    pub flags: Vec<Flag>,
}

/// What makes two numbers comparable.
#[derive(PartialEq, Eq)]
struct Kind {
    component: Option<String>,
    unit: (Option<String>, Option<String>),
}

impl Trend {
    /// Puts a page's results, newest first, into lines.
    pub fn of(series: SeriesId, results: Vec<LabResult>, next_cursor: Option<String>) -> Self {
        let observed = results.iter().find_map(|result| result.content.as_ref());
        let observed = observed.map(|content| &content.observed);
        let mut trend = Self {
            series,
            name: observed.and_then(|observed| observed.name.clone()),
            loinc: observed.and_then(|observed| observed.loinc.clone()),
            lines: Vec::new(),
            others: Vec::new(),
            next_cursor,
        };
        let mut kinds = Vec::new();
        for result in results {
            if !trend.draw(&result, &mut kinds) {
                trend.others.push(result);
            }
        }
        trend
    }

    /// Puts each number of a result into its line; false if there is none.
    fn draw(&mut self, result: &LabResult, kinds: &mut Vec<Kind>) -> bool {
        let Some(content) = &result.content else {
            return false;
        };
        let observed = &content.observed;
        let whole = observed.value.as_ref().map(|value| (None, value));
        let parts = observed.components.iter();
        let parts = parts.filter_map(|part| Some((Some(part), part.value.as_ref()?)));
        let mut drawn = false;
        for (part, value) in whole.into_iter().chain(parts) {
            let Some((digits, number, quantity)) = number(value) else {
                continue;
            };
            let code = part.map(|part| &part.code);
            let kind = Kind {
                component: code.map(identity),
                unit: unit(quantity),
            };
            let point = Point {
                id: result.id,
                effective: result.effective.clone(),
                status: observed.status.clone(),
                value: digits.to_owned(),
                number,
                comparator: quantity.and_then(|quantity| quantity.comparator.clone()),
                flags: part.map_or_else(
                    || observed.flags.clone(),
                    |part| flags(part.interpretations.iter()),
                ),
            };
            match kinds.iter().position(|known| *known == kind) {
                Some(at) => self.lines.get_mut(at).map(|line| line.points.push(point)),
                None => {
                    kinds.push(kind);
                    self.lines.push(Line {
                        component: code.and_then(|code| code.label().map(str::to_owned)),
                        component_loinc: code.and_then(|code| code.loinc().map(str::to_owned)),
                        unit: quantity.and_then(shown),
                        points: vec![point],
                    });
                    Some(())
                }
            };
            drawn = true;
        }
        drawn
    }
}

/// The digits of a value that is a number, and the number if a chart can hold it.
fn number(value: &Value) -> Option<(&str, f64, Option<&Quantity>)> {
    let (digits, quantity) = match value {
        Value::Quantity(quantity) => (quantity.value.as_deref()?, Some(quantity)),
        Value::Integer(digits) => (digits.as_str(), None),
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    number.is_finite().then_some((digits, number, quantity))
}

/// Two components are the same if their first codes are, or their names where they have none.
fn identity(code: &CodeableConcept) -> String {
    let mut codings = code.coding.iter();
    let coded = codings.find_map(|coding| {
        let system = coding.system.as_deref().unwrap_or_default();
        Some(format!("{system}|{}", coding.code.as_deref()?))
    });
    coded.unwrap_or_else(|| code.label().unwrap_or_default().to_owned())
}

/// Two units are the same if their codes are, or their text where they have none.
fn unit(quantity: Option<&Quantity>) -> (Option<String>, Option<String>) {
    match quantity {
        Some(Quantity {
            code: Some(code),
            system,
            ..
        }) => (system.clone(), Some(code.clone())),
        Some(quantity) => (None, quantity.unit.clone()),
        None => (None, None),
    }
}

fn shown(quantity: &Quantity) -> Option<String> {
    quantity.unit.clone().or_else(|| quantity.code.clone())
}

/// Which results of which analyte.
pub struct Listing {
    pub series: SeriesId,
    pub days: Days,
    pub page: Page,
}

impl Listing {
    /// Where in the index `by-series` they stand.
    pub fn span(&self) -> Span {
        Span::series(self.series, self.days.earliest(), self.days.latest())
    }
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Query {
    from: Option<Date>,
    to: Option<Date>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Operation for GetLabTrend {
    const SPEC: &'static Spec = &Spec {
        id: "get-lab-trend",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/lab-trends/{series}",
            auth: Auth::Token,
        },
        action: "GetLabTrend",
        audit: "lab-trend.read",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadRecords,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Listing;
    type Output = Trend;

    fn parse(request: &Request) -> Result<Listing, Problem> {
        let query: Query = request.query()?;
        let listing = Listing {
            series: request.path("series")?,
            days: Days::of(query.from, query.to)?,
            page: Page::of(request, Self::SPEC.id, query.limit, query.cursor)?,
        };
        listing.page.within(&listing.span())?;
        Ok(listing)
    }

    fn regarding(listing: &Listing) -> Option<String> {
        Some(listing.series.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::lab_results::Content;
    use crate::api::observations::Observed;
    use crate::fhir::observation::Observation;
    use uuid::Uuid;

    fn result(members: &str) -> LabResult {
        let json = format!(r#"{{"resourceType":"Observation",{members}}}"#);
        let observation = Observation::parse(&json).unwrap();
        LabResult {
            id: RecordId::new(Uuid::nil()),
            effective: observation.effective.clone(),
            hold: None,
            content: Some(Content {
                series: None,
                report: None,
                categories: Vec::new(),
                observed: Observed::of(observation),
            }),
            unreadable: false,
        }
    }

    fn trend(results: &[&str]) -> Trend {
        let results = results.iter().map(|members| result(members)).collect();
        Trend::of(SeriesId::new(Uuid::nil()), results, None)
    }

    #[test]
    fn units_are_never_mixed() {
        let trend = trend(&[
            r#""valueQuantity":{"value":5.60,"unit":"mmol/L","system":"u","code":"mmol/L"}"#,
            r#""valueQuantity":{"value":101,"unit":"mg/dL"}"#,
            r#""valueQuantity":{"value":5.1,"unit":"mmol per litre","system":"u","code":"mmol/L"}"#,
            r#""valueQuantity":{"value":1e999,"unit":"mg/dL"}"#,
            r#""valueQuantity":{"value":3,"comparator":"<"}"#,
            r#""valueString":"haemolysed""#,
            r#""valueInteger":7"#,
        ]);
        let lines: Vec<_> = trend
            .lines
            .iter()
            .map(|line| {
                let values = line.points.iter().map(|point| point.value.as_str());
                (line.unit.as_deref(), values.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            lines,
            [
                (Some("mmol/L"), vec!["5.60", "5.1"]),
                (Some("mg/dL"), vec!["101"]),
                (None, vec!["3", "7"]),
            ]
        );
        assert!((trend.lines[0].points[0].number - 5.6).abs() < f64::EPSILON);
        assert_eq!(trend.lines[2].points[0].comparator.as_deref(), Some("<"));
        assert_eq!(trend.others.len(), 2);
    }

    #[test]
    fn components_have_lines_of_their_own() {
        let pressure = |systolic: u32, diastolic: u32| {
            format!(
                r#""component":[
                    {{"code":{{"coding":[{{"system":"http://loinc.org","code":"8480-6"}}]}},
                      "valueQuantity":{{"value":{systolic},"unit":"mm[Hg]"}}}},
                    {{"code":{{"coding":[{{"system":"http://loinc.org","code":"8462-4"}}]}},
                      "valueQuantity":{{"value":{diastolic},"unit":"mm[Hg]"}}}}]"#
            )
        };
        let trend = trend(&[&pressure(120, 80), &pressure(118, 79)]);
        let lines = trend.lines.iter();
        let loincs: Vec<_> = lines.map(|line| line.component_loinc.as_deref()).collect();
        assert_eq!(loincs, [Some("8480-6"), Some("8462-4")]);
        assert!(trend.lines.iter().all(|line| line.points.len() == 2));
        assert!(trend.others.is_empty());
    }
}
