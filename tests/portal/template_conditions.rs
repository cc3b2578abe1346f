//! The conditions under which buckets and keys let anybody do anything, and which pages may read the API.

use crate::harness::root;
use crate::template::{resources, stack, stacks};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn statements(resource: &Value, policy: &str) -> BTreeMap<String, Value> {
    let statements = resource["Properties"][policy]["Statement"]
        .as_array()
        .unwrap();
    let statements = statements.iter().map(|one| match &one["Fn::If"] {
        Value::Array(choice) => choice[1].clone(),
        _ => one.clone(),
    });
    statements
        .map(|one| (one["Sid"].as_str().unwrap().to_owned(), one))
        .collect()
}

/// The statements of every bucket's policy, by the bucket; each bucket has one.
fn buckets() -> BTreeMap<(String, String), BTreeMap<String, Value>> {
    let mut buckets = BTreeMap::new();
    for (file, template) in stacks() {
        let mut there: Vec<_> = resources(&template, "AWS::S3::Bucket")
            .map(|(id, _)| id.to_owned())
            .collect();
        let mut policed = Vec::new();
        for (_, policy) in resources(&template, "AWS::S3::BucketPolicy") {
            let id = policy["Properties"]["Bucket"]["Ref"].as_str().unwrap();
            policed.push(id.to_owned());
            let statements = statements(policy, "PolicyDocument");
            buckets.insert((file.clone(), id.to_owned()), statements);
        }
        there.sort();
        policed.sort();
        assert_eq!(there, policed, "{file}");
    }
    buckets
}

fn of<'a>(
    buckets: &'a BTreeMap<(String, String), BTreeMap<String, Value>>,
    bucket: &str,
) -> &'a BTreeMap<String, Value> {
    let mut found = buckets.iter().filter(|((_, id), _)| id == bucket);
    found.next().unwrap().1
}

/// 45 CFR 164.312(e)(1).
#[test]
fn no_bucket_is_reached_but_over_tls() {
    let buckets = buckets();
    assert!(buckets.len() >= 9, "{:?}", buckets.keys());
    for (bucket, statements) in &buckets {
        let only = &statements["OnlyOverTls"];
        assert_eq!(only["Effect"], "Deny", "{bucket:?}");
        assert_eq!(only["Principal"], "*", "{bucket:?}");
        assert_eq!(only["Action"], "s3:*", "{bucket:?}");
        // The bucket and what is in it.
        assert_eq!(only["Resource"].as_array().unwrap().len(), 2, "{bucket:?}");
        let condition = json!({"Bool": {"aws:SecureTransport": false}});
        assert_eq!(only["Condition"], condition, "{bucket:?}");
    }
}

/// Who may deliver access logs does so for one bucket of this account.
#[test]
fn access_logs_come_from_our_buckets() {
    for (bucket, statements) in buckets() {
        for (sid, statement) in statements {
            if statement["Effect"] != "Allow" {
                continue;
            }
            let condition = &statement["Condition"];
            let from = ["ArnEquals", "StringEquals"]
                .map(|operator| &condition[operator]["aws:SourceArn"])
                .into_iter()
                .find(|from| !from.is_null());
            // A bucket's ARN does not say whose it is, a trail's does.
            let account = &condition["StringEquals"]["aws:SourceAccount"]["Ref"];
            let is_ours = from.is_some_and(|from| from.to_string().contains("${AWS::AccountId}"));
            assert!(from.is_some(), "{bucket:?} {sid}");
            assert!(account == "AWS::AccountId" || is_ours, "{bucket:?} {sid}");
        }
    }
}

/// 45 CFR 164.312(a)(2)(iv).
#[test]
fn nothing_is_put_under_a_key_that_is_not_ours() {
    let buckets = buckets();
    const KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";
    for (bucket, ours) in [
        ("QuarantineBucket", "DataKeyArn"),
        ("DocumentsBucket", "DataKeyArn"),
        ("ExportsBucket", "DataKeyArn"),
        ("ArchiveBucket", "AuditKeyArn"),
    ] {
        let only = &of(&buckets, bucket)["OnlyUnderOurKey"];
        assert_eq!(only["Effect"], "Deny", "{bucket}");
        assert_eq!(only["Principal"], "*", "{bucket}");
        assert_eq!(only["Action"], "s3:PutObject", "{bucket}");
        let condition = json!({
            "StringNotEquals": {KEY: {"Ref": ours}}, "Null": {KEY: "false"},
        });
        assert_eq!(only["Condition"], condition, "{bucket}");
    }
}

/// 45 CFR 164.308(a)(5)(ii)(B): the scanner alone opens what it has not found clean, and alone says so.
#[test]
fn uploads_are_opened_when_they_are_clean() {
    let buckets = buckets();
    let statements = of(&buckets, "QuarantineBucket");
    let (clean, tags) = (
        &statements["OnlyWhatIsClean"],
        &statements["OnlyTheScannerTags"],
    );
    for statement in [clean, tags] {
        assert_eq!(statement["Effect"], "Deny");
        assert_eq!(statement["Principal"], "*");
        let but = &statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]["Fn::GetAtt"];
        assert!(but.to_string().contains("ScanRole"), "{but}");
    }
    assert_eq!(clean["Action"], "s3:GetObject");
    assert_eq!(clean["Condition"].as_object().unwrap().len(), 2);
    assert_eq!(
        clean["Condition"]["StringNotEquals"],
        json!({"s3:ExistingObjectTag/GuardDutyMalwareScanStatus": "NO_THREATS_FOUND"})
    );
    assert_eq!(
        tags["Action"],
        json!(["s3:DeleteObjectTagging", "s3:PutObjectTagging"])
    );
    assert_eq!(tags["Condition"].as_object().unwrap().len(), 1);
}

/// 45 CFR 164.312(c)(1): the archive is locked, and nobody may loosen the lock or write over it.
#[test]
fn the_archive_is_locked() {
    let template = stack("infra/audit.yaml");
    let bucket = &template["Resources"]["ArchiveBucket"]["Properties"];
    assert_eq!(bucket["ObjectLockEnabled"], true);
    assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
    let lock = &bucket["ObjectLockConfiguration"];
    assert_eq!(lock["ObjectLockEnabled"], "Enabled");
    assert_eq!(
        lock["Rule"]["DefaultRetention"],
        json!({"Mode": {"Ref": "ArchiveLockMode"}, "Days": {"Ref": "ArchiveLockDays"}})
    );
    let portal = stack("template.yaml");
    assert_eq!(
        portal["Parameters"]["AuditLockMode"]["Default"],
        "COMPLIANCE"
    );

    let buckets = buckets();
    let statements = of(&buckets, "ArchiveBucket");
    let removed = &statements["NothingIsRemoved"];
    assert_eq!(removed["Effect"], "Deny");
    assert_eq!(removed["Principal"], "*");
    assert!(removed["Condition"].is_null());
    let actions = removed["Action"].as_array().unwrap();
    for action in [
        "BypassGovernanceRetention",
        "DeleteBucket",
        "DeleteObject",
        "DeleteObjectVersion",
        "PutBucketObjectLockConfiguration",
        "PutBucketVersioning",
        "PutObjectLegalHold",
        "PutObjectRetention",
    ] {
        assert!(actions.contains(&json!(format!("s3:{action}"))), "{action}");
    }
    let replaced = &statements["NothingIsReplaced"];
    assert_eq!(replaced["Effect"], "Deny");
    assert_eq!(replaced["Principal"], "*");
    assert_eq!(replaced["Action"], "s3:PutObject");
    let condition = json!({"Null": {"s3:if-none-match": "true"}});
    assert_eq!(replaced["Condition"], condition);
}

/// Whoever administers a key may not use it; whoever uses one is bound to a service or to what it is for.
#[test]
fn every_key_is_used_for_its_purpose() {
    let template = stack("infra/keys.yaml");
    let via =
        |service: &str| json!({"Fn::Sub": format!("{service}.${{AWS::Region}}.amazonaws.com")});
    let through = |service: &str| json!({"StringEquals": {"kms:ViaService": via(service)}});
    let granted = json!({
        "Bool": {"kms:GrantIsForAWSResource": "true"},
        "StringEquals": {"kms:ViaService": via("dynamodb")},
    });
    let ours = "arn:${AWS::Partition}";
    let group = |name: &str| json!({"Fn::Sub": format!("{ours}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{name}")});
    let conditions = [
        (
            "PhiKey UseForOnePatient",
            json!({"Null": {"kms:EncryptionContext:patient": "false"}}),
        ),
        (
            "MessageKey UseForOneOwner",
            json!({"Null": {
                "kms:EncryptionContext:owner": "false", "kms:EncryptionContext:key": "false",
            }}),
        ),
        ("IndexKey ComputeIndex", Value::Null),
        (
            "DataKey UseThroughStorage",
            json!({"StringEquals": {"kms:ViaService": [via("dynamodb"), via("s3"), via("sqs")]}}),
        ),
        ("DataKey LetTablesKeepTheirKey", granted.clone()),
        ("AuditKey UseThroughTheTable", through("dynamodb")),
        ("AuditKey UseThroughTheArchive", through("s3")),
        ("AuditKey LetTheTableKeepItsKey", granted),
        (
            "AuditSigningKey SignCheckpoints",
            json!({
                "StringEquals": {"kms:SigningAlgorithm": "ECDSA_SHA_256"},
                "ArnLike": {"aws:PrincipalArn": {"Fn::Sub":
                    format!("{ours}:iam::${{AWS::AccountId}}:role/${{Portal}}-SealAuditRole-*")}},
            }),
        ),
        ("AuditSigningKey GiveOutThePublicHalf", Value::Null),
        (
            "LogKey UseForLogGroups",
            json!({"ArnLike": {"kms:EncryptionContext:aws:logs:arn": [
                group("/portal/${Portal}/*"),
                group("API-Gateway-Execution-Logs_*"),
                group("aws-waf-logs-${Portal}"),
            ]}}),
        ),
        (
            "AlarmKey UseForAlarms",
            json!({
                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
                "ArnLike": {"aws:SourceArn": {"Fn::Sub":
                    format!("{ours}:cloudwatch:${{AWS::Region}}:${{AWS::AccountId}}:alarm:${{Portal}}-*")}},
            }),
        ),
        (
            "AlarmKey UseForFindings",
            json!({
                "StringEquals": {"kms:ViaService": via("sns")},
                "ArnLike": {"aws:PrincipalArn": {"Fn::Sub":
                    format!("{ours}:iam::${{AWS::AccountId}}:role/${{Portal}}-WatchAccessRole-*")}},
            }),
        ),
    ];
    let expected: BTreeMap<_, _> = conditions
        .into_iter()
        .map(|(name, condition)| (name.to_owned(), condition))
        .collect();
    let mut found = BTreeMap::new();
    for (id, key) in resources(&template, "AWS::KMS::Key") {
        for (sid, statement) in statements(key, "KeyPolicy") {
            if sid != "Administer" {
                found.insert(format!("{id} {sid}"), statement["Condition"].clone());
                continue;
            }
            for action in statement["Action"].as_array().unwrap() {
                let action = action.as_str().unwrap();
                let uses = [
                    "crypt",
                    "GenerateDataKey",
                    "Mac",
                    "Sign",
                    "CreateGrant",
                    "*",
                ];
                assert!(
                    uses.iter().all(|one| !action.contains(one)),
                    "{id}: {action}"
                );
            }
        }
    }
    assert_eq!(found, expected);
}

/// Answers that no function gives name the app's origin as well: else the app cannot tell them from an
/// answer that never came.
#[test]
fn the_gateways_own_answers_are_for_the_one_origin() {
    let template = stack("template.yaml");
    let origin = json!({"Fn::Sub": "'${AllowedOrigin}'"});
    let api = resources(&template, "AWS::Serverless::Api")
        .next()
        .unwrap()
        .1;
    let api = &api["Properties"];
    let answers = api["GatewayResponses"].as_object().unwrap();
    // Whatever has no answer of its own, an authorizer's failure say, takes one of these two.
    assert!(answers.contains_key("DEFAULT_4XX") && answers.contains_key("DEFAULT_5XX"));
    for (kind, answer) in answers {
        let headers = &answer["ResponseParameters"]["Headers"];
        assert_eq!(headers["Access-Control-Allow-Origin"], origin, "{kind}");
        let exposed = "'Date, ETag, Retry-After'";
        assert_eq!(headers["Access-Control-Expose-Headers"], exposed, "{kind}");
        assert_eq!(headers["Vary"], "'Origin'", "{kind}");
    }

    let parameter = &template["Parameters"]["AllowedOrigin"];
    assert_eq!(parameter["Default"], "https://portal.invalid");
    assert_eq!(parameter["AllowedPattern"], "https?://[^/*]+");
    let variables = &template["Globals"]["Function"]["Environment"]["Variables"];
    assert_eq!(variables["ALLOWED_ORIGIN"]["Ref"], "AllowedOrigin");
}

/// A browser asks first, without a token, for every method and header that the API takes.
#[test]
fn a_preflight_permits_what_the_api_takes() {
    let template = stack("template.yaml");
    let api = resources(&template, "AWS::Serverless::Api")
        .next()
        .unwrap()
        .1;
    let api = &api["Properties"];
    assert_eq!(api["Auth"]["AddDefaultAuthorizerToCorsPreflight"], false);
    let cors = &api["Cors"];
    assert_eq!(
        cors["AllowOrigin"],
        json!({"Fn::Sub": "'${AllowedOrigin}'"})
    );
    assert!(cors["AllowCredentials"].is_null());
    let list = |name: &str| -> Vec<String> {
        let text = cors[name].as_str().unwrap().trim_matches('\'');
        text.split(',').map(str::to_ascii_lowercase).collect()
    };
    let (methods, headers) = (list("AllowMethods"), list("AllowHeaders"));
    for header in ["authorization", "content-type"] {
        assert!(headers.contains(&header.to_owned()), "{header}");
    }
    let document = std::fs::read(root().join("web/openapi.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let (mut asked, mut taken) = (0, 0);
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            assert!(methods.contains(method), "{method} {path}");
            asked += 1;
            let parameters = operation["parameters"].as_array();
            for parameter in parameters.into_iter().flatten() {
                if parameter["in"] == "header" {
                    let name = parameter["name"].as_str().unwrap().to_ascii_lowercase();
                    assert!(headers.contains(&name), "{name} of {path}");
                    taken += 1;
                }
            }
        }
    }
    assert!(asked > 100 && taken > 10, "{asked} {taken}");
}
