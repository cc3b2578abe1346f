//! CloudFormation templates: read with their tags, and rewritten for the emulator.
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, json};
use serde_saphyr::Tagged;

/// Resource types that CloudFormation in the emulator does not know, and fails the stack over.
/// They guard or watch the deployed portal; nothing in it works differently without them.
pub const NOT_EMULATED: &[&str] = &[
    "AWS::ApiGateway::ClientCertificate",
    "AWS::ApiGateway::VpcLink",
    "AWS::Backup::BackupSelection",
    "AWS::CloudTrail::Trail",
    "AWS::CloudWatch::AnomalyDetector",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::Cognito::LogDeliveryConfiguration",
    "AWS::Cognito::UserPoolRiskConfigurationAttachment",
    "AWS::EC2::FlowLog",
    "AWS::GuardDuty::Detector",
    "AWS::GuardDuty::MalwareProtectionPlan",
    "AWS::Logs::QueryDefinition",
    "AWS::WAFv2::IPSet",
    "AWS::WAFv2::LoggingConfiguration",
    "AWS::WAFv2::WebACLAssociation",
    "AWS::XRay::SamplingRule",
];

/// Reads a template. Short forms become long ones (`!Ref x` is `{"Ref": "x"}`), as CloudFormation
/// reads them itself.
pub fn read(file: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse(&text).with_context(|| format!("{} is no template", file.display()))
}

pub fn parse(text: &str) -> Result<Value> {
    // Logical ids may be called On or Y.
    let options = serde_saphyr::options! { strict_booleans: true };
    let root: Tagged<Node> =
        serde_saphyr::from_str_with_options(text, options).map_err(|e| anyhow!("{e}"))?;
    Ok(long_form(root))
}

/// A YAML node, of which serde would lose the tag.
struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes).map(Node)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML node")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(long_form(item));
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, value)) = entries.next_entry()? {
            map.insert(key, long_form(value));
        }
        Ok(map.into())
    }
}

fn long_form(Tagged(Node(value), tag): Tagged<Node>) -> Value {
    let Some(tag) = tag.as_deref().and_then(|tag| tag.strip_prefix('!')) else {
        return value;
    };
    match (tag, value.as_str().and_then(|text| text.split_once('.'))) {
        ("Ref" | "Condition", _) => json!({tag: value}),
        ("GetAtt", Some((resource, attribute))) => json!({"Fn::GetAtt": [resource, attribute]}),
        _ => json!({format!("Fn::{tag}"): value}),
    }
}

/// Where the functions' code was uploaded to.
pub struct Code<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
}

/// A template as the emulator gets it, and what was left out of it.
pub struct Localized {
    pub template: Value,
    /// Logical id and type of each resource that was left out.
    pub left_out: Vec<(String, String)>,
    /// The local child templates, as they are named in the original.
    pub children: Vec<String>,
}

/// Rewrites a template for the emulator: every function gets the one uploaded code and says by its
/// handler which operation it is, children are read from their rewritten copies, and resource types
/// that are not emulated go, with what would point at them.
pub fn localize(mut template: Value, code: &Code<'_>) -> Result<Localized> {
    let resources = template
        .get_mut("Resources")
        .and_then(Value::as_object_mut)
        .context("the template has no Resources")?;
    let mut left_out = Vec::new();
    let mut children = Vec::new();
    for (id, resource) in resources.iter_mut() {
        let kind = resource
            .get("Type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        match kind.as_str() {
            "AWS::Serverless::Function" => point_to(resource, code).with_context(|| id.clone())?,
            "AWS::Serverless::Application" => {
                if let Some(location) = resource.pointer_mut("/Properties/Location")
                    && let Some(child) = location.as_str().map(str::to_owned)
                {
                    *location = json_name(&child).into();
                    children.push(child);
                }
            }
            kind if NOT_EMULATED.contains(&kind) => left_out.push((id.clone(), kind.to_owned())),
            _ if computes(resource) => {
                left_out.push((id.clone(), format!("{kind} of metric maths")));
            }
            _ => {}
        }
        relax(resource, |what| left_out.push((id.clone(), what)));
    }
    let gone: BTreeSet<String> = resources
        .iter()
        .filter(|(_, resource)| {
            let kind = resource.get("Type").and_then(Value::as_str);
            kind.is_some_and(|kind| NOT_EMULATED.contains(&kind))
                || computes(resource)
                || permits_nothing(resource)
        })
        .map(|(id, _)| id.clone())
        .collect();
    resources.retain(|id, _| !gone.contains(id));
    for resource in resources.values_mut() {
        forget_dependencies(resource, &gone);
    }
    if let Some(outputs) = template.get_mut("Outputs").and_then(Value::as_object_mut) {
        outputs.retain(|_, output| !refers_to(output, &gone));
    }
    Ok(Localized {
        template,
        left_out,
        children,
    })
}

/// Takes out of a resource's policies what would lock everybody out here: denials of plain HTTP, which
/// is all there is on loopback, and of writes to S3 that are not conditional, which the emulator cannot
/// tell apart; and conditions on keys of KMS and DynamoDB, which it does not evaluate and takes for unmet.
/// Nor does it know which identity a mail is sent from, or the streams of a log group.
fn relax(resource: &mut Value, mut left_out: impl FnMut(String)) {
    let policies = ["/Properties/KeyPolicy", "/Properties/PolicyDocument"];
    for policy in policies {
        let Some(statements) = resource
            .pointer_mut(&format!("{policy}/Statement"))
            .and_then(Value::as_array_mut)
        else {
            continue;
        };
        let sid = |statement: &Value| {
            let sid = statement.get("Sid").and_then(Value::as_str);
            sid.unwrap_or("a statement").to_owned()
        };
        statements.retain(|statement| {
            let unheard_of = ["aws:SecureTransport", "s3:if-none-match"];
            let denies = unheard_of.iter().any(|key| condition_on(statement, key));
            if denies {
                left_out(format!("statement {}", sid(statement)));
            }
            !denies
        });
        for statement in statements {
            if statement.get("Action").and_then(Value::as_str) == Some("ses:SendEmail") {
                left_out(format!("resource of {}", sid(statement)));
                statement["Resource"] = "*".into();
            }
            // Of a log group it knows the name, and not the streams that a policy's `:*` stands for.
            if logs(statement) {
                left_out(format!("resource of {}", sid(statement)));
                statement["Resource"] = "*".into();
            }
            let unmet = [
                "kms:EncryptionContext:",
                "kms:SigningAlgorithm",
                "dynamodb:",
            ];
            if unmet.iter().any(|key| condition_on(statement, key))
                && let Some(statement) = statement.as_object_mut()
            {
                statement.remove("Condition");
                let sid = statement.get("Sid").and_then(Value::as_str);
                left_out(format!("condition of {}", sid.unwrap_or("a statement")));
            }
        }
    }
}

/// Whether a statement is about log groups.
fn logs(statement: &Value) -> bool {
    let actions = statement.get("Action").and_then(Value::as_array);
    let action = actions.and_then(|actions| actions.first());
    let action = action.or(statement.get("Action")).and_then(Value::as_str);
    action.is_some_and(|action| action.starts_with("logs:"))
}

/// Whether a statement's condition looks at a key that starts like this.
fn condition_on(statement: &Value, key: &str) -> bool {
    let operators = statement.get("Condition").and_then(Value::as_object);
    operators
        .into_iter()
        .flat_map(|operators| operators.values())
        .filter_map(Value::as_object)
        .flat_map(|keys| keys.keys())
        .any(|found| found.starts_with(key))
}

/// Whether a resource is an alarm over several metrics, which the emulator does not compute.
fn computes(resource: &Value) -> bool {
    resource
        .get("Type")
        .is_some_and(|kind| kind == "AWS::CloudWatch::Alarm")
        && resource.pointer("/Properties/Metrics").is_some()
}

/// Whether nothing is left of a resource that is a policy and nothing else.
fn permits_nothing(resource: &Value) -> bool {
    let statements = resource.pointer("/Properties/PolicyDocument/Statement");
    statements
        .and_then(Value::as_array)
        .is_some_and(Vec::is_empty)
}

/// The name of a child's rewritten copy, beside the parent's.
pub fn json_name(child: &str) -> String {
    Path::new(child)
        .with_extension("json")
        .to_string_lossy()
        .into_owned()
}

fn point_to(function: &mut Value, code: &Code<'_>) -> Result<()> {
    let operation = function
        .pointer("/Metadata/BuildProperties/Binary")
        .and_then(Value::as_str)
        .context("a function names its operation in Metadata.BuildProperties.Binary")?
        .to_owned();
    let function = function
        .as_object_mut()
        .context("a resource is an object")?;
    function.remove("Metadata");
    let properties = function.entry("Properties").or_insert_with(|| json!({}));
    let properties = properties
        .as_object_mut()
        .context("Properties is an object")?;
    properties.insert("Handler".into(), operation.into());
    properties.insert(
        "CodeUri".into(),
        json!({"Bucket": code.bucket, "Key": code.key}),
    );
    Ok(())
}

fn forget_dependencies(resource: &mut Value, gone: &BTreeSet<String>) {
    let Some(resource) = resource.as_object_mut() else {
        return;
    };
    let is_gone = |id: &Value| id.as_str().is_some_and(|id| gone.contains(id));
    match resource.get_mut("DependsOn") {
        Some(Value::Array(ids)) => ids.retain(|id| !is_gone(id)),
        Some(id) if is_gone(id) => {
            resource.remove("DependsOn");
        }
        _ => {}
    }
}

/// Whether a value reads something of a resource that is gone.
fn refers_to(value: &Value, gone: &BTreeSet<String>) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            let named = match key.as_str() {
                "Ref" => value.as_str(),
                "Fn::GetAtt" => value.get(0).and_then(Value::as_str),
                _ => None,
            };
            named.is_some_and(|id| gone.contains(id)) || refers_to(value, gone)
        }),
        Value::Array(list) => list.iter().any(|value| refers_to(value, gone)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: Code<'_> = Code {
        bucket: "artefacts",
        key: "code.zip",
    };

    #[test]
    fn short_forms_become_long_ones() {
        let template = parse(
            "Resources:\n  A:\n    Type: X\n    Properties:\n      a: !Ref B\n      b: !GetAtt C.D.E\n      \
             c: !Sub ['${x}', {x: !Ref Y}]\n      d: !If [Yes, !Ref AWS::NoValue, '2012-10-17']\n      \
             e: 'true'\n      f: true\n      g: 2012-10-17\n",
        );
        assert_eq!(
            template
                .unwrap()
                .pointer("/Resources/A/Properties")
                .unwrap(),
            &json!({
                "a": {"Ref": "B"},
                "b": {"Fn::GetAtt": ["C", "D.E"]},
                "c": {"Fn::Sub": ["${x}", {"x": {"Ref": "Y"}}]},
                "d": {"Fn::If": ["Yes", {"Ref": "AWS::NoValue"}, "2012-10-17"]},
                "e": "true", "f": true, "g": "2012-10-17",
            })
        );
    }

    #[test]
    fn functions_children_and_what_is_not_emulated_are_rewritten() {
        let template = json!({
            "Resources": {
                "Read": {
                    "Type": "AWS::Serverless::Function",
                    "Metadata": {"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": "get-thing"}},
                    "Properties": {"CodeUri": ".", "Handler": "bootstrap"},
                    "DependsOn": ["Trail", "Data"],
                },
                "Data": {"Type": "AWS::Serverless::Application", "Properties": {"Location": "infra/data.yaml"}},
                "Ratio": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": []}},
                "Trail": {"Type": "AWS::CloudTrail::Trail"},
            },
            "Outputs": {
                "Table": {"Value": {"Fn::GetAtt": ["Data", "Outputs.Table"]}},
                "Trail": {"Value": {"Fn::GetAtt": ["Trail", "Arn"]}},
            },
        });
        let local = localize(template, &CODE).unwrap();
        assert_eq!(
            local.left_out,
            [
                (
                    "Ratio".to_owned(),
                    "AWS::CloudWatch::Alarm of metric maths".to_owned()
                ),
                ("Trail".to_owned(), "AWS::CloudTrail::Trail".to_owned()),
            ]
        );
        assert_eq!(local.children, ["infra/data.yaml"]);
        assert_eq!(
            local.template,
            json!({
                "Resources": {
                    "Read": {
                        "Type": "AWS::Serverless::Function",
                        "Properties": {
                            "CodeUri": {"Bucket": "artefacts", "Key": "code.zip"},
                            "Handler": "get-thing",
                        },
                        "DependsOn": ["Data"],
                    },
                    "Data": {"Type": "AWS::Serverless::Application", "Properties": {"Location": "infra/data.json"}},
                },
                "Outputs": {"Table": {"Value": {"Fn::GetAtt": ["Data", "Outputs.Table"]}}},
            })
        );
    }

    #[test]
    fn what_would_lock_everybody_out_goes() {
        let template = json!({"Resources": {
            "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": [
                {"Sid": "Use", "Condition": {"Null": {"kms:EncryptionContext:patient": "false"}}},
                {"Sid": "Manage"},
            ]}}},
            "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"PolicyDocument": {"Statement": [
                {"Sid": "Tls", "Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": false}}},
            ]}}},
            "Mail": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {"Statement": [
                {"Sid": "SendMail", "Action": "ses:SendEmail", "Resource": "arn:of-an-identity"},
            ]}}},
        }});
        let local = localize(template, &CODE).unwrap();
        assert_eq!(
            local.template,
            json!({"Resources": {"Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {
                "Statement": [{"Sid": "Use"}, {"Sid": "Manage"}]}}},
                "Mail": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {"Statement": [
                    {"Sid": "SendMail", "Action": "ses:SendEmail", "Resource": "*"},
                ]}}},
            }})
        );
        assert_eq!(local.left_out.len(), 3);
    }

    #[test]
    fn a_function_that_names_no_operation_is_a_mistake() {
        let template = json!({"Resources": {"F": {"Type": "AWS::Serverless::Function"}}});
        assert!(localize(template, &CODE).is_err());
    }
}
