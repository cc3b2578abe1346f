//! The template against the code, both ways: operations, routes, environment, permissions, events.

use crate::harness::recorder::Rows;
use crate::harness::root;
use crate::harness::world::specs;
use serde_json::{Value, json};
use shared::access::Subject;
use shared::api::{Auth, Operation, Spec, Trigger, Visitor, visit_all};
use shared::aws::{Capability, Resource};
use shared::http::Request;
use std::collections::{BTreeMap, BTreeSet};

/// The stacks in which capabilities stand.
const POLICIES: [&str; 4] = [
    "infra/access.yaml",
    "infra/identity.yaml",
    "infra/mail.yaml",
    "infra/realtime.yaml",
];

pub fn stack(file: &str) -> Value {
    xtask::template::read(&root().join(file)).unwrap()
}

/// The root and its children, by their files.
pub fn stacks() -> Vec<(String, Value)> {
    let root = stack("template.yaml");
    let children: Vec<String> = resources(&root, "AWS::Serverless::Application")
        .map(|(_, child)| child["Properties"]["Location"].as_str().unwrap().to_owned())
        .collect();
    let children = children
        .into_iter()
        .map(|file| (file.clone(), stack(&file)));
    [("template.yaml".to_owned(), root.clone())]
        .into_iter()
        .chain(children)
        .collect()
}

pub fn resources<'a>(
    template: &'a Value,
    kind: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let resources = template["Resources"].as_object().unwrap().iter();
    resources
        .filter(move |(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id.as_str(), resource))
}

/// `get-dashboard` as a logical id: `GetDashboard`.
fn pascal(id: &str) -> String {
    id.split('-')
        .flat_map(|word| {
            let (first, rest) = word.split_at(1);
            [first.to_uppercase(), rest.to_owned()]
        })
        .collect()
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        other => panic!("{other}"),
    }
}

/// Every attribute that a value is made of.
fn attributes(value: &Value) -> BTreeSet<String> {
    let within = |values: &mut dyn Iterator<Item = &Value>| values.flat_map(attributes).collect();
    match value {
        Value::Object(object) => match &object.get("Fn::GetAtt") {
            Some(attribute) => BTreeSet::from([strings(attribute).join(".")]),
            None => within(&mut object.values()),
        },
        Value::Array(values) => within(&mut values.iter()),
        _ => BTreeSet::new(),
    }
}

/// The logical name behind `!GetAtt Stack.Outputs.Name`.
fn output(value: &Value) -> &str {
    let path = match &value["Fn::GetAtt"] {
        Value::String(path) => path.as_str(),
        Value::Array(parts) => parts.last().unwrap().as_str().unwrap(),
        other => panic!("{value}: {other}"),
    };
    path.rsplit('.').next().unwrap()
}

/// Does a statement let its holder do this with these rows? As IAM decides it: where there is a
/// condition, every partition and every attribute is one of those that it names.
pub fn lets(statement: &Value, rows: &Rows) -> bool {
    let condition = &statement["Condition"];
    let like = |patterns: &Value, names: &BTreeSet<String>| {
        let patterns = strings(patterns);
        names.iter().all(|name| {
            patterns
                .iter()
                .any(|pattern| match pattern.strip_suffix('*') {
                    Some(beginning) => name.starts_with(beginning),
                    None => name == pattern,
                })
        })
    };
    for (key, names) in [
        ("dynamodb:LeadingKeys", &rows.partitions),
        ("dynamodb:Attributes", &rows.attributes),
    ] {
        for operator in ["ForAllValues:StringLike", "ForAllValues:StringEquals"] {
            let patterns = &condition[operator][key];
            if !patterns.is_null() && !like(patterns, names) {
                return false;
            }
        }
        if condition["Null"][key] == "false" && names.is_empty() {
            return false;
        }
    }
    true
}

/// Every statement of every managed policy, by its Sid, with the policy it stands in.
pub fn statements() -> BTreeMap<String, (String, Value)> {
    let mut all = BTreeMap::new();
    for file in POLICIES {
        let template = stack(file);
        for (policy, resource) in resources(&template, "AWS::IAM::ManagedPolicy") {
            if policy.starts_with("Run") {
                continue;
            }
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]
                .as_array()
                .unwrap()
            {
                let sid = statement["Sid"].as_str().unwrap().to_owned();
                let former = all.insert(sid, (policy.to_owned(), statement.clone()));
                assert!(former.is_none(), "{policy} repeats a Sid");
            }
        }
    }
    all
}

#[test]
fn every_operation_is_a_function_and_the_other_way_round() {
    let template = stack("template.yaml");
    let declared: BTreeSet<String> = specs().iter().map(|spec| pascal(spec.id)).collect();
    let deployed: BTreeSet<String> = resources(&template, "AWS::Serverless::Function")
        .map(|(id, _)| id.to_owned())
        .collect();
    assert_eq!(declared, deployed);

    let folders = |folder: &str, end: &str| -> BTreeSet<String> {
        std::fs::read_dir(root().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.strip_suffix(end).unwrap().to_owned())
            .collect()
    };
    let ids: BTreeSet<String> = specs().iter().map(|spec| spec.id.to_owned()).collect();
    assert_eq!(folders("functions", ""), ids);
    assert_eq!(folders("events", ".json"), ids);

    for spec in specs() {
        let function = &template["Resources"][pascal(spec.id)];
        assert_eq!(function["Metadata"]["BuildMethod"], "rust-cargolambda");
        assert_eq!(function["Metadata"]["BuildProperties"]["Binary"], spec.id);
    }
}

#[test]
fn every_route_is_the_one_declared() {
    let template = stack("template.yaml");
    for spec in specs() {
        let function = &template["Resources"][pascal(spec.id)]["Properties"];
        let routes: Vec<&Value> = function["Events"]
            .as_object()
            .into_iter()
            .flat_map(|events| events.values())
            .filter(|event| event["Type"] == "Api")
            .collect();
        let Trigger::Http { method, path, auth } = spec.trigger else {
            assert!(routes.is_empty(), "{}", spec.id);
            continue;
        };
        assert_eq!(routes.len(), 1, "{}", spec.id);
        let route = &routes[0]["Properties"];
        assert_eq!(route["Method"], method.as_str(), "{}", spec.id);
        assert_eq!(route["Path"], path, "{}", spec.id);
        let authorizer = &route["Auth"]["Authorizer"];
        match auth {
            Auth::Open => assert_eq!(authorizer, "NONE", "{}", spec.id),
            Auth::Token => assert!(authorizer.is_null(), "{}: the default holds", spec.id),
        }
    }
    let auth = &template["Resources"]["PortalApi"]["Properties"]["Auth"];
    assert_eq!(auth["DefaultAuthorizer"], "UserPool");
    let scopes = &auth["Authorizers"]["UserPool"]["AuthorizationScopes"];
    assert_eq!(
        strings(scopes),
        ["aws.cognito.signin.user.admin"],
        "access tokens alone"
    );
}

/// Of the WebSocket API, what a browser sends reaches no function: its route invokes nothing.
#[test]
fn every_route_of_a_socket_is_the_one_declared() {
    let template = stack("infra/realtime.yaml");
    let root = stack("template.yaml");
    let parameters = &root["Resources"]["Realtime"]["Properties"]["Parameters"];
    let mut routes: BTreeMap<&str, &Value> = resources(&template, "AWS::ApiGatewayV2::Route")
        .map(|(_, route)| {
            let route = &route["Properties"];
            (route["RouteKey"].as_str().unwrap(), route)
        })
        .collect();
    let integration = |route: &Value| {
        let target = route["Target"]["Fn::Sub"].as_str().unwrap();
        let id = target.strip_prefix("integrations/${").unwrap();
        template["Resources"][id.trim_end_matches('}')]["Properties"].clone()
    };
    for spec in specs() {
        let Trigger::Socket { route } = spec.trigger else {
            continue;
        };
        let uri = integration(routes.remove(route).unwrap())["IntegrationUri"].to_string();
        let named = parameters.as_object().unwrap().iter();
        let mut named = named.filter(|(_, value)| value["Fn::GetAtt"][0] == pascal(spec.id));
        let (parameter, _) = named.next().unwrap();
        assert!(uri.contains(&format!("${{{parameter}}}")), "{}", spec.id);
        let mut permissions = resources(&template, "AWS::Lambda::Permission");
        let permitted = permissions.any(|(_, permission)| {
            let permission = &permission["Properties"];
            let source = permission["SourceArn"].to_string();
            permission["FunctionName"]["Ref"] == parameter.as_str()
                && source.contains(&format!("${{Channels}}/portal/{route}\""))
        });
        assert!(permitted, "{}", spec.id);
    }
    let (left, heartbeat) = routes.pop_first().unwrap();
    assert_eq!((left, routes.len()), ("$default", 0));
    assert_eq!(integration(heartbeat)["IntegrationType"], "MOCK");
}

/// Who is told of changes is told their keys: no stream has anything else of a record or a message.
#[test]
fn streams_for_browsers_have_keys_alone() {
    let data = stack("infra/data.yaml");
    let template = stack("template.yaml");
    let events = &template["Resources"]["DeliverEvents"]["Properties"]["Events"];
    let mut streams = 0;
    for (name, event) in events.as_object().unwrap() {
        let event = &event["Properties"];
        let table = output(&event["Stream"]).replace("StreamArn", "Table");
        let stream = &data["Resources"][&table]["Properties"]["StreamSpecification"];
        assert_eq!(stream["StreamViewType"], "KEYS_ONLY", "{name}");
        assert_eq!(
            strings(&event["FunctionResponseTypes"]),
            ["ReportBatchItemFailures"]
        );
        assert_eq!(event["BisectBatchOnFunctionError"], true, "{name}");
        assert_eq!(
            output(&event["DestinationConfig"]["OnFailure"]["Destination"]),
            "DeliveryFailuresArn"
        );
        streams += 1;
    }
    assert_eq!(streams, 3);
}

#[test]
fn every_environment_is_what_the_capabilities_reach() {
    let template = stack("template.yaml");
    for spec in specs() {
        let function = &template["Resources"][pascal(spec.id)]["Properties"];
        let variables = function["Environment"]["Variables"].as_object().unwrap();
        let given: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
        let needed: BTreeSet<&str> = spec
            .needs
            .iter()
            .map(|capability| capability.resource().env())
            .collect();
        assert_eq!(given, needed, "{}", spec.id);
    }
}

#[test]
fn every_role_permits_what_the_operation_declares_and_no_more() {
    let template = stack("template.yaml");
    let statements = statements();
    for spec in specs() {
        let role = &template["Resources"][format!("{}Role", pascal(spec.id))]["Properties"];
        assert!(
            role["Policies"].is_null(),
            "{}: no inline policies",
            spec.id
        );
        let policies: BTreeSet<&str> = role["ManagedPolicyArns"]
            .as_array()
            .unwrap()
            .iter()
            .map(output)
            .filter(|policy| !policy.starts_with("Run"))
            .collect();
        let permitted: BTreeSet<&str> = statements
            .iter()
            .filter(|(_, (policy, _))| policies.contains(policy.as_str()))
            .map(|(sid, _)| sid.as_str())
            .collect();
        let names: Vec<String> = spec.needs.iter().map(|need| format!("{need:?}")).collect();
        let declared: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(permitted, declared, "{}", spec.id);
        assert!(
            declared.contains("WriteAudit"),
            "{}: nothing without audit",
            spec.id
        );
    }
}

#[test]
fn every_capability_is_a_statement_with_its_exact_actions() {
    let statements = statements();
    let sids: BTreeSet<String> = statements.keys().cloned().collect();
    let capabilities: BTreeSet<String> = Capability::ALL
        .iter()
        .map(|capability| format!("{capability:?}"))
        .collect();
    assert_eq!(sids, capabilities);
    for capability in Capability::ALL {
        let (_, statement) = &statements[&format!("{capability:?}")];
        assert_eq!(statement["Effect"], "Allow");
        let granted: BTreeSet<&str> = strings(&statement["Action"]).into_iter().collect();
        let declared: BTreeSet<&str> = capability.actions().iter().copied().collect();
        assert_eq!(granted, declared, "{capability:?}");
        // A phone is no resource: what may be published to is anything but what is one.
        if capability == Capability::SendTexts {
            assert!(statement["Resource"].is_null());
            let not = &statement["NotResource"]["Fn::Sub"];
            assert_eq!(not, "arn:${AWS::Partition}:sns:*:*:*");
            continue;
        }
        let reach = statement["Resource"].to_string();
        let named = match capability.resource() {
            Resource::AccountsTable => "AccountsTableArn",
            Resource::PatientsTable => "PatientsTableArn",
            Resource::RecordsTable => "RecordsTableArn",
            Resource::DocumentsTable => "DocumentsTableArn",
            Resource::DirectoryTable => "DirectoryTableArn",
            Resource::ScheduleTable => "ScheduleTableArn",
            Resource::MessagesTable => "MessagesTableArn",
            Resource::ChannelsTable => "ChannelsTableArn",
            Resource::ChannelApi => "${Channels}/portal",
            Resource::AuditTable => "AuditTableArn",
            Resource::ChainTable => "ChainTableArn",
            Resource::WatchTable => "WatchTableArn",
            Resource::AlarmTopic => "AlarmTopicArn",
            Resource::AuditArchive => "ArchiveBucketName",
            Resource::AuditLogGroup => "AuditLogGroupArn",
            Resource::SigningKey => "AuditSigningKeyArn",
            Resource::MessageKey => "MessageKeyArn",
            Resource::PhiKey => "PhiKeyArn",
            Resource::IndexKey => "IndexKeyArn",
            Resource::DataKey => "DataKeyArn",
            Resource::UserPool => "UserPool.Arn",
            Resource::MailSender => "identity/${Sender}",
            Resource::TextSender => panic!("{capability:?}"),
            Resource::ImportBucket => "ImportBucketName",
            Resource::QuarantineBucket => "QuarantineBucketName",
            Resource::DocumentsBucket => "DocumentsBucketName",
            Resource::ExportsBucket => "ExportsBucketName",
        };
        let arns = reach.matches("Arn").count()
            + reach.matches("BucketName").count()
            + reach.matches("identity/${Sender}").count()
            + reach.matches("${Channels}/portal").count();
        assert!(
            reach.contains(named) || reach.contains("\"UserPool\",\"Arn\""),
            "{capability:?}: {reach}"
        );
        assert!(
            arns >= 1 && !reach.contains("\"*\""),
            "{capability:?}: {reach}"
        );
    }
}

#[test]
fn no_policy_has_a_wildcard_action_and_only_what_runs_functions_a_wildcard_resource() {
    // Traces and network interfaces are no resources that IAM could name beforehand.
    const EVERYWHERE: [&str; 3] = ["WriteTraces", "JoinNetwork", "LambdaAloneJoinsNetwork"];
    for (_, template) in stacks() {
        for (policy, resource) in resources(&template, "AWS::IAM::ManagedPolicy") {
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]
                .as_array()
                .unwrap()
            {
                for action in strings(&statement["Action"]) {
                    assert!(!action.contains('*'), "{policy}: {action}");
                }
                let everywhere = statement["Resource"] == "*";
                let may = EVERYWHERE.iter().any(|sid| statement["Sid"] == *sid);
                assert_eq!(everywhere, may, "{policy}");
            }
        }
    }
}

/// Whoever reaches a table reaches the partitions that it is for, and says which: a call without keys
/// meets no condition on them. `ForAllValues` alone would let it pass.
#[test]
fn every_policy_names_the_partitions_that_it_is_for() {
    const UNBOUNDED: [(&str, &str); 11] = [
        (
            "CompareAudit",
            "every kind of partition: whatever was archived is compared",
        ),
        ("ReadAccounts", "every kind of row of the table"),
        (
            "ReadDueAppointments",
            "the partition of the index is a day, and it has keys alone",
        ),
        (
            "ReadWaitlist",
            "the partition of the index is what somebody waits for",
        ),
        (
            "ReadPanels",
            "the partition of the index is a practitioner's id",
        ),
        (
            "ReadSchedules",
            "the partition of the index is a practitioner's id",
        ),
        (
            "ReadActivity",
            "the partition of the index is an account's id",
        ),
        ("ReadInbox", "the index has what is open, and nothing else"),
        (
            "ReadDirectory",
            "every kind of row, none of which is about a patient",
        ),
        ("WriteDirectory", "the same"),
        (
            "WriteAudit",
            "every kind of partition, and rows are put once",
        ),
    ];
    let mut unbounded = BTreeSet::new();
    for (sid, (_, statement)) in statements() {
        let mut actions = strings(&statement["Action"]).into_iter();
        if !actions.any(|action| action.starts_with("dynamodb:")) {
            continue;
        }
        let condition = &statement["Condition"];
        let keys = &condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        if keys.is_null() {
            unbounded.insert(sid);
            continue;
        }
        for pattern in strings(keys) {
            assert!(!pattern.starts_with('*'), "{sid}: {pattern}");
        }
        for operator in ["ForAllValues:StringLike", "ForAllValues:StringEquals"] {
            for key in condition[operator].as_object().into_iter().flatten() {
                assert_eq!(condition["Null"][key.0], "false", "{sid}: {}", key.0);
            }
        }
    }
    let reasons = UNBOUNDED.map(|(sid, _)| sid.to_owned());
    assert_eq!(unbounded, BTreeSet::from(reasons));
}

/// A row of a patient's may be made into what the capability is for, and into nothing else.
#[test]
fn every_policy_that_writes_into_a_patients_partition_names_the_attributes() {
    const UNBOUNDED: [(&str, &str); 4] = [
        (
            "WritePatients",
            "the importer makes patients, whatever a row of theirs has",
        ),
        ("WriteRecords", "the same of entries"),
        ("RequestExports", "reads its rows as well, whole"),
        (
            "WriteMessages",
            "a thread's row has an attribute for each of its keys",
        ),
    ];
    let mut unbounded = BTreeSet::new();
    for (sid, (_, statement)) in statements() {
        let condition = &statement["Condition"];
        let keys = &condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        let writes = strings(&statement["Action"]).into_iter().any(|action| {
            let verbs = ["Put", "Update", "Delete", "BatchWrite"];
            verbs
                .iter()
                .any(|verb| action.starts_with(&format!("dynamodb:{verb}")))
        });
        let is_patients = !keys.is_null() && strings(keys).contains(&"PATIENT#*");
        let names = &condition["ForAllValues:StringEquals"]["dynamodb:Attributes"];
        if writes && is_patients && names.is_null() {
            unbounded.insert(sid);
        }
    }
    let reasons = UNBOUNDED.map(|(sid, _)| sid.to_owned());
    assert_eq!(unbounded, BTreeSet::from(reasons));
}

/// What a function gives up on waits in a queue of its own, which its role may put it into.
#[test]
fn whatever_a_function_gives_up_on_is_kept() {
    let (template, failures) = (stack("template.yaml"), stack("infra/failures.yaml"));
    let access = stack("infra/access.yaml");
    let mut kept = BTreeSet::new();
    for spec in specs() {
        let function = &template["Resources"][pascal(spec.id)]["Properties"];
        let streams = function["Events"].as_object().into_iter().flatten();
        let streams = streams.filter(|(_, event)| event["Type"] == "DynamoDB");
        let streams = streams.map(|(_, event)| &event["Properties"]);
        let retries = [&function["EventInvokeConfig"]].into_iter();
        let retries = retries.filter(|one| !one.is_null()).chain(streams);
        let queues: BTreeSet<_> = retries
            .map(|retries| {
                let destination = &retries["DestinationConfig"]["OnFailure"];
                assert_eq!(destination["Type"], "SQS", "{}", spec.id);
                output(&destination["Destination"])
            })
            .collect();
        assert!(queues.len() <= 1, "{}", spec.id);
        let Some(queue) = queues.first() else {
            continue;
        };
        let arn = &failures["Outputs"][queue]["Value"]["Fn::GetAtt"];
        let named = queue.strip_suffix("Arn").unwrap();
        assert!(arn.to_string().contains(&format!("{named}\"")) || *arn == format!("{named}.Arn"));
        let role = &template["Resources"][format!("{}Role", pascal(spec.id))]["Properties"];
        let mut policies = role["ManagedPolicyArns"]
            .as_array()
            .unwrap()
            .iter()
            .map(output);
        let run = policies.find(|policy| policy.starts_with("Run")).unwrap();
        let statements = &access["Resources"][run]["Properties"]["PolicyDocument"]["Statement"];
        let mut statements = statements.as_array().unwrap().iter();
        let sends = statements
            .find(|one| one["Action"] == "sqs:SendMessage")
            .unwrap();
        assert_eq!(sends["Resource"]["Ref"], *queue, "{}", spec.id);
        kept.insert((*queue).to_owned());
    }
    let outputs = failures["Outputs"].as_object().unwrap().keys();
    let queues = outputs.filter(|name| name.ends_with("Arn")).cloned();
    assert_eq!(kept, queues.collect());
}

/// What people are told before they write is the deployment's to say, and made by numbers that dial.
#[test]
fn whom_to_call_in_an_emergency_is_a_parameter() {
    let root = stack("template.yaml");
    let variables = &root["Globals"]["Function"]["Environment"]["Variables"];
    for (variable, parameter) in [
        ("REPLY_WITHIN_HOURS", "MessagesReplyWithinHours"),
        ("EMERGENCY_NUMBER", "EmergencyNumber"),
    ] {
        assert_eq!(variables[variable]["Ref"], parameter);
        assert!(!root["Parameters"][parameter]["Default"].is_null());
    }
    let hours = &root["Parameters"]["MessagesReplyWithinHours"];
    assert_eq!(hours["MinValue"], 1);
    let pattern = &root["Parameters"]["EmergencyNumber"]["AllowedPattern"];
    assert!(
        pattern
            .as_str()
            .is_some_and(|pattern| pattern.contains("[0-9]"))
    );
}

/// Nobody between patient and practice reads messages: of all functions, one may seal private keys and
/// one may open them, neither sees a message, and what handles messages may use no key but the one
/// that tables are encrypted with at rest, through the table.
#[test]
fn message_functions_open_nothing() {
    let template = stack("template.yaml");
    let access = stack("infra/access.yaml");
    let policy = |name: &str| &access["Resources"][name]["Properties"]["PolicyDocument"];
    let mut handles_messages = 0;
    for spec in specs() {
        let role = &template["Resources"][format!("{}Role", pascal(spec.id))]["Properties"];
        let policies = role["ManagedPolicyArns"].as_array().unwrap().iter();
        let policies: BTreeSet<&str> = policies.map(output).collect();
        let seals = policies.contains("SealPrivateKeys");
        let opens = policies.contains("OpenPrivateKeys") || policies.contains("ReadPrivateKeys");
        assert_eq!(seals, spec.id == "register-message-key", "{}", spec.id);
        assert_eq!(opens, spec.id == "unlock-message-key", "{}", spec.id);
        let messages = ["ReadMessages", "WriteMessages", "ReadInbox"];
        if !messages.iter().any(|one| policies.contains(one)) {
            continue;
        }
        handles_messages += 1;
        for name in policies {
            let statements = policy(name)["Statement"].as_array().into_iter().flatten();
            for statement in statements {
                let mut actions = strings(&statement["Action"]).into_iter();
                if !actions.any(|action| action.starts_with("kms:")) {
                    continue;
                }
                assert_eq!(statement["Sid"], "DecryptAtRest", "{}: {name}", spec.id);
                // Their policies let these keys be used through tables alone.
                let keys = statement["Resource"].as_array().unwrap().iter();
                let keys: BTreeSet<_> = keys.map(|key| key["Ref"].as_str().unwrap()).collect();
                assert_eq!(keys, ["AuditKeyArn", "DataKeyArn"].into(), "{}", spec.id);
            }
        }
    }
    assert_eq!(handles_messages, 10);
    let keys = stack("infra/keys.yaml");
    let statements = &keys["Resources"]["MessageKey"]["Properties"]["KeyPolicy"]["Statement"];
    let usage = &statements[1];
    assert_eq!(strings(&usage["Action"]), ["kms:Decrypt", "kms:Encrypt"]);
    for part in ["owner", "key"] {
        let bound = &usage["Condition"]["Null"][format!("kms:EncryptionContext:{part}")];
        assert_eq!(bound, "false", "{part}");
    }
}

/// Nothing of messages is ever deleted, and nothing expires: no function is given it, and the table
/// denies it to everybody else.
#[test]
fn messages_are_kept() {
    const KEPT: [&str; 5] = ["PATIENT#*", "THREAD#*", "KEYS#*", "KEYS-OF#*", "PRIVATE#*"];
    for (sid, (_, statement)) in statements() {
        let arn = statement["Resource"].to_string();
        if !arn.contains("MessagesTableArn") {
            continue;
        }
        let harmless = ["GetItem", "Query", "PutItem"].map(|name| format!("dynamodb:{name}"));
        let mut actions = strings(&statement["Action"]).into_iter();
        if actions.all(|action| harmless.contains(&action.to_owned())) {
            continue;
        }
        let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        for key in strings(keys) {
            assert!(!KEPT.contains(&key), "{sid}: {key}");
        }
    }
    let template = stack("infra/data.yaml");
    let table = &template["Resources"]["MessagesTable"];
    assert_eq!(table["DeletionPolicy"], "RetainExceptOnCreate");
    let table = &table["Properties"];
    assert!(table["TimeToLiveSpecification"].is_null());
    let statements = table["ResourcePolicy"]["PolicyDocument"]["Statement"]
        .as_array()
        .unwrap();
    let denied = |action: &str| {
        let mut denying = statements.iter().filter(|statement| {
            let everybody = statement["Effect"] == "Deny" && statement["Principal"] == "*";
            everybody && strings(&statement["Action"]).contains(&action)
        });
        denying.next().unwrap_or_else(|| panic!("{action}"))
    };
    for action in [
        "BatchWriteItem",
        "DeleteItem",
        "PartiQLDelete",
        "PartiQLUpdate",
        "UpdateItem",
    ] {
        let condition = &denied(&format!("dynamodb:{action}"))["Condition"];
        let keys = &condition["ForAnyValue:StringLike"]["dynamodb:LeadingKeys"];
        assert_eq!(strings(keys), KEPT);
    }
    assert!(denied("dynamodb:UpdateTimeToLive")["Condition"].is_null());
    let root = stack("template.yaml");
    let years = &root["Parameters"]["RetentionYears"];
    assert!(years["MinValue"].as_i64() >= Some(6), "{years}");
    let variables = &root["Globals"]["Function"]["Environment"]["Variables"];
    assert_eq!(variables["RETENTION_YEARS"]["Ref"], "RetentionYears");
}

/// Nobody may change or remove an audit record: no role is given it, and the table denies it.
#[test]
fn the_audit_table_is_written_once() {
    for (sid, (_, statement)) in statements() {
        if statement["Resource"].to_string().contains("AuditTableArn") {
            // The one that compares it with the archive names each record's key.
            if sid == "CompareAudit" {
                assert_eq!(strings(&statement["Action"]), ["dynamodb:BatchGetItem"]);
                continue;
            }
            // And read by these, a partition at a time.
            let read = match sid.as_str() {
                "ReadRecordAccess" => Some(vec!["PATIENT#*"]),
                "SearchAuditLog" => Some(vec!["PATIENT#*", "PORTAL#*"]),
                // The partition of its index is an account's id.
                "ReadActivity" => Some(vec![]),
                _ => None,
            };
            if let Some(partitions) = read {
                assert_eq!(strings(&statement["Action"]), ["dynamodb:Query"]);
                let condition = &statement["Condition"];
                let keys = &condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
                let keys = if keys.is_null() {
                    vec![]
                } else {
                    strings(keys)
                };
                assert_eq!(keys, partitions, "{sid}");
                let index = statement["Resource"]
                    .to_string()
                    .contains("/index/by-actor");
                assert_eq!(index, sid == "ReadActivity", "{sid}");
                continue;
            }
            assert_eq!(strings(&statement["Action"]), ["dynamodb:PutItem"], "{sid}");
        }
    }
    let template = stack("infra/audit.yaml");
    let table = &template["Resources"]["AuditTable"]["Properties"];
    let statements = table["ResourcePolicy"]["PolicyDocument"]["Statement"]
        .as_array()
        .unwrap();
    let deny = statements
        .iter()
        .find(|statement| statement["Effect"] == "Deny")
        .unwrap();
    assert!(deny["Principal"] == "*" || deny["Principal"]["AWS"] == "*");
    assert!(deny["Condition"].is_null());
    let denied = strings(&deny["Action"]);
    for action in [
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "PartiQLUpdate",
        "PartiQLDelete",
        "PartiQLInsert",
        "UpdateTimeToLive",
        "DeleteTable",
    ] {
        assert!(
            denied.contains(&format!("dynamodb:{action}").as_str()),
            "{action}"
        );
    }
    assert_eq!(
        table["StreamSpecification"]["StreamViewType"],
        "NEW_AND_OLD_IMAGES"
    );
}

/// 45 CFR 164.312(a)(2)(iv), 164.308(a)(7)(ii)(A), 164.312(c)(1). The emulator drops these
/// settings, so they are held here.
#[test]
fn data_at_rest_is_encrypted_recoverable_and_protected() {
    let mut tables = 0;
    for file in ["infra/data.yaml", "infra/audit.yaml"] {
        let template = stack(file);
        for (id, table) in resources(&template, "AWS::DynamoDB::Table") {
            let properties = &table["Properties"];
            assert_eq!(properties["SSESpecification"]["SSEType"], "KMS", "{id}");
            assert!(
                properties["SSESpecification"]["KMSMasterKeyId"].is_object(),
                "{id}"
            );
            let recovery = &properties["PointInTimeRecoverySpecification"];
            assert_eq!(recovery["PointInTimeRecoveryEnabled"], true, "{id}");
            assert!(!properties["DeletionProtectionEnabled"].is_null(), "{id}");
            tables += 1;
        }
    }
    assert_eq!(tables, 11);
    let identity = stack("infra/identity.yaml");
    let (_, pool) = resources(&identity, "AWS::Cognito::UserPool")
        .next()
        .unwrap();
    let pool = &pool["Properties"];
    assert_eq!(pool["MfaConfiguration"], "ON");
    assert_eq!(
        pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"],
        true
    );
    let (_, client) = resources(&identity, "AWS::Cognito::UserPoolClient")
        .next()
        .unwrap();
    let client = &client["Properties"];
    assert_eq!(client["PreventUserExistenceErrors"], "ENABLED");
    assert_eq!(client["EnableTokenRevocation"], true);
    // As long as a session that was ended is remembered: Session::LASTS.
    assert_eq!(client["AccessTokenValidity"], 5);
    assert_eq!(client["RefreshTokenValidity"], 12);
    assert_eq!(client["TokenValidityUnits"]["RefreshToken"], "hours");
}

/// Passkeys are for whoever says for which domain, and only those that verify their user: with less
/// they would be one factor of the two that everybody has to have. Without a domain there are none.
#[test]
fn passkeys_count_as_both_factors_or_are_not_offered() {
    let identity = stack("infra/identity.yaml");
    let offered = &identity["Conditions"]["HasPasskeys"]["Fn::Not"][0]["Fn::Equals"];
    assert_eq!(*offered, json!([{"Ref": "PasskeyDomain"}, ""]));
    let template = stack("template.yaml");
    assert_eq!(template["Parameters"]["PasskeyDomain"]["Default"], "");
    let nested = &template["Resources"]["Identity"]["Properties"]["Parameters"];
    assert_eq!(nested["PasskeyDomain"], json!({"Ref": "PasskeyDomain"}));
    let pool = &identity["Resources"]["UserPool"]["Properties"];
    let client = &identity["Resources"]["UserPoolClient"]["Properties"];
    let nothing = json!({"Ref": "AWS::NoValue"});
    for (setting, with, without) in [
        (
            &pool["WebAuthnRelyingPartyID"],
            json!({"Ref": "PasskeyDomain"}),
            nothing.clone(),
        ),
        (
            &pool["WebAuthnUserVerification"],
            json!("required"),
            nothing.clone(),
        ),
        (
            &pool["WebAuthnFactorConfiguration"],
            json!("MULTI_FACTOR_WITH_USER_VERIFICATION"),
            nothing,
        ),
        (
            &pool["Policies"]["SignInPolicy"]["AllowedFirstAuthFactors"],
            json!(["PASSWORD", "WEB_AUTHN"]),
            json!(["PASSWORD"]),
        ),
        (
            &client["ExplicitAuthFlows"],
            json!(["ALLOW_USER_SRP_AUTH", "ALLOW_USER_AUTH"]),
            json!(["ALLOW_USER_SRP_AUTH"]),
        ),
    ] {
        assert_eq!(*setting, json!({"Fn::If": ["HasPasskeys", with, without]}));
    }
    assert_eq!(pool["EnabledMfas"], json!(["SOFTWARE_TOKEN_MFA"]));
}

/// 164.312(b): whoever reaches a table or a bucket past the portal leaves a trace as well.
#[test]
fn the_trail_has_every_table_and_bucket() {
    let template = stack("template.yaml");
    let trail = &template["Resources"]["Trail"]["Properties"]["Parameters"];
    let tables = attributes(&trail["TableArns"]);
    let objects = attributes(&trail["ObjectArns"]);
    let mut kept = 0;
    for (name, file) in [
        ("Data", "data"),
        ("Audit", "audit"),
        ("Documents", "documents"),
        ("Imports", "imports"),
    ] {
        let nested = stack(&format!("infra/{file}.yaml"));
        for (output, value) in nested["Outputs"].as_object().unwrap() {
            let whose = format!("{name}.Outputs.{output}");
            let within = if output.ends_with("TableArn") {
                &tables
            } else if output.ends_with("BucketName") {
                &objects
            } else {
                continue;
            };
            assert!(within.contains(&whose), "{whose}: {value}");
            kept += 1;
        }
    }
    assert_eq!(kept, 11 + 5);
}

/// Where a signing profile is named, every function runs what it signed and nothing else.
#[test]
fn code_is_signed_where_a_profile_is_named() {
    let template = stack("template.yaml");
    let signed = &template["Globals"]["Function"]["CodeSigningConfigArn"];
    let expected =
        json!({"Fn::If": ["HasSigning", {"Ref": "SignedCode"}, {"Ref": "AWS::NoValue"}]});
    assert_eq!(*signed, expected);
    let config = &template["Resources"]["SignedCode"]["Properties"];
    let policy = &config["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"];
    assert_eq!(policy, "Enforce");
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let own = &resource["Properties"]["CodeSigningConfigArn"];
        assert!(own.is_null(), "{name} has its own");
    }
}

/// The address of a calendar is its secret (45 CFR 164.312(a)(1)): no log and no trace has it.
#[test]
fn the_addresses_of_calendars_are_written_nowhere() {
    let template = stack("template.yaml");
    let api = &template["Resources"]["PortalApi"]["Properties"];
    let format = api["AccessLogSetting"]["Format"].as_str().unwrap();
    assert!(format.contains("$context.resourcePath"));
    for named in [
        "$context.path",
        "$context.customDomain",
        "$context.protocol",
    ] {
        assert!(!format.contains(named), "{named}");
    }
    let route = specs().into_iter().find(|spec| spec.id == "read-calendar");
    let Trigger::Http { path, .. } = route.unwrap().trigger else {
        panic!("no route");
    };
    let settings = api["MethodSettings"].as_array().unwrap().iter();
    let mut settings =
        settings.filter(|one| one["ResourcePath"] == format!("/{}", path.replace('/', "~1")));
    let setting = settings.next().unwrap();
    assert_eq!(setting["LoggingLevel"], "OFF");
    assert_eq!(setting["DataTraceEnabled"], false);
    assert!(setting["ThrottlingRateLimit"].as_u64() <= Some(50));
    let logs = stack("infra/logs.yaml");
    let rule = &logs["Resources"]["UntracedCalendars"]["Properties"]["SamplingRule"];
    let pattern = rule["URLPath"].as_str().unwrap().trim_matches('*');
    assert!(path.starts_with(pattern));
    assert_eq!(
        (&rule["FixedRate"], &rule["ReservoirSize"]),
        (&0.into(), &0.into())
    );
    assert_eq!(rule["Priority"], 1);
}

/// The same of files (45 CFR 164.312(a)(2)(iv), (e)(1)), and that copies do not linger (164.310(d)(2)(i)).
#[test]
fn files_are_encrypted_private_and_do_not_linger() {
    let template = stack("infra/documents.yaml");
    for (id, days) in [
        ("QuarantineBucket", Some(1)),
        ("DocumentsBucket", None),
        ("ExportsBucket", Some(1)),
    ] {
        let bucket = &template["Resources"][id]["Properties"];
        let default =
            "/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault";
        let default = bucket.pointer(default).unwrap();
        assert_eq!(default["SSEAlgorithm"], "aws:kms", "{id}");
        assert_eq!(default["KMSMasterKeyID"]["Ref"], "DataKeyArn", "{id}");
        let blocked = bucket["PublicAccessBlockConfiguration"]
            .as_object()
            .unwrap();
        assert!(
            blocked.len() == 4 && blocked.values().all(|on| on == true),
            "{id}"
        );
        let expires = bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"].as_u64();
        assert_eq!(expires, days, "{id}");
        let origins = &bucket["CorsConfiguration"]["CorsRules"][0]["AllowedOrigins"];
        assert_eq!(origins[0]["Ref"], "AllowedOrigin", "{id}");
        let policy = &template["Resources"][format!("{id}Policy")]["Properties"];
        let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap();
        let statements: Vec<_> = statements
            .iter()
            .map(|one| match &one["Fn::If"] {
                Value::Array(choice) if choice[0] == "ScansUploads" => &choice[1],
                _ => one,
            })
            .collect();
        let sids: Vec<_> = statements
            .iter()
            .map(|one| one["Sid"].as_str().unwrap())
            .collect();
        let expected = [
            "OnlyOverTls",
            "OnlyUnderOurKey",
            "OnlyWhatIsClean",
            "OnlyTheScannerTags",
        ];
        let expected = &expected[..if id == "QuarantineBucket" { 4 } else { 2 }];
        assert_eq!(sids, expected, "{id}");
        assert!(statements.iter().all(|one| one["Effect"] == "Deny"), "{id}");
    }
}

/// 45 CFR 164.308(a)(6)(ii): what the privacy officer is told of is counted by an operation that there
/// is, and on its way it is encrypted.
#[test]
fn every_alarm_reaches_the_privacy_officer() {
    /// What is counted, and nobody has to look at once.
    const QUIET: [(&str, &str); 5] = [
        ("AccountsMended", "it is in order again"),
        (
            "EventsDelayed",
            "the stream gives them again; what stays waits in the queue, which tells",
        ),
        (
            "EventsNotPosted",
            "the browser finds what it missed when it looks",
        ),
        ("RemindersSent", "they were to be sent"),
        ("ImportsRefused", "the report of the import says what to do"),
    ];
    let template = stack("infra/alarms.yaml");
    let ids: Vec<_> = specs().iter().map(|spec| spec.id).collect();
    let mut alarms = BTreeSet::new();
    for (name, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        let alarm = &alarm["Properties"];
        assert_eq!(alarm["Threshold"], 1, "{name}");
        assert_eq!(alarm["AlarmActions"][0]["Ref"], "Alarms", "{name}");
        alarms.insert(name.to_owned());
        let metric = alarm["MetricName"].as_str().unwrap();
        let dimension = &alarm["Dimensions"][0];
        // What a function gave up on waits in a queue, which counts for itself.
        if alarm["Namespace"] == "AWS/SQS" {
            assert_eq!(metric, "ApproximateNumberOfMessagesVisible", "{name}");
            assert_eq!(dimension["Name"], "QueueName", "{name}");
            let output = format!("{name}Name");
            assert_eq!(dimension["Value"]["Ref"], output.as_str(), "{name}");
            let failures = stack("infra/failures.yaml");
            let queue = &failures["Resources"][name];
            assert_eq!(queue["Type"], "AWS::SQS::Queue", "{name}");
            let told = &failures["Outputs"][&output]["Value"]["Fn::GetAtt"];
            assert_eq!(told, &json!([name, "QueueName"]), "{name}");
            continue;
        }
        assert_eq!(alarm["Namespace"], "Portal", "{name}");
        assert_eq!(dimension["Name"], "operation", "{name}");
        let operation = dimension["Value"].as_str().unwrap();
        assert!(ids.contains(&operation), "{name}");
        // Every operation counts its failures, and what failed after it; whatever else is counted, one
        // operation does.
        let code = match metric {
            "Failures" => root().join("shared/src/telemetry/mod.rs"),
            "FollowUpsFailed" => root().join("shared/src/http/pipeline.rs"),
            _ => {
                assert_eq!(metric, name);
                root().join(format!("functions/{operation}/src/lib.rs"))
            }
        };
        let code = std::fs::read_to_string(code).unwrap();
        assert!(code.contains(&format!("\"{metric}\"")), "{name}");
    }
    // And the other way round.
    for spec in specs() {
        let folder = root().join(format!("functions/{}/src", spec.id));
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_none_or(|end| end != "rs") {
                continue;
            }
            let code = std::fs::read_to_string(file).unwrap();
            for counted in code.split("telemetry::count(").skip(1) {
                let metric = counted.split('"').nth(1).unwrap();
                let quiet = QUIET.iter().any(|(name, _)| *name == metric);
                assert_ne!(alarms.contains(metric), quiet, "{metric} of {}", spec.id);
            }
        }
    }
    let topic = &template["Resources"]["Alarms"]["Properties"];
    assert_eq!(topic["KmsMasterKeyId"]["Ref"], "AlarmKeyArn");
}

/// What a function gives up on is found when somebody is told of it.
#[test]
fn every_queue_of_failures_has_an_alarm() {
    let (failures, alarms) = (stack("infra/failures.yaml"), stack("infra/alarms.yaml"));
    for (queue, _) in resources(&failures, "AWS::SQS::Queue") {
        let alarm = &alarms["Resources"][queue]["Properties"];
        assert_eq!(alarm["Namespace"], "AWS/SQS", "{queue}");
    }
}

/// 45 CFR 164.312(b): reading PHI and writing down who did go together, whatever a function declares;
/// and nobody is given what would change or remove what was written.
#[test]
fn whoever_may_read_phi_may_write_audit_and_nobody_may_change_it() {
    const PHI: [&str; 13] = [
        "PatientsTableArn",
        "RecordsTableArn",
        "DocumentsTableArn",
        "ScheduleTableArn",
        "MessagesTableArn",
        "ImportBucketName",
        "QuarantineBucketName",
        "DocumentsBucketName",
        "ExportsBucketName",
        "PhiKeyArn",
        "MessageKeyArn",
        "AuditTableArn",
        "\"AuditTable\"",
    ];
    const READS: [&str; 8] = [
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:PartiQLSelect",
        "dynamodb:Query",
        "dynamodb:Scan",
        "kms:Decrypt",
        "s3:GetObject",
        "s3:GetObjectVersion",
    ];
    const HARMLESS: [&str; 8] = [
        "dynamodb:BatchGetItem",
        "dynamodb:DescribeStream",
        "dynamodb:GetItem",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "dynamodb:PutItem",
        "dynamodb:Query",
    ];
    // Services of AWS's, which have no request to write down. CloudTrail has what they do.
    const SERVICES: [&str; 2] = ["BackupRole", "ScanRole"];
    let mut policies: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut roles = Vec::new();
    for (_, template) in stacks() {
        for (name, policy) in resources(&template, "AWS::IAM::ManagedPolicy") {
            let statements = &policy["Properties"]["PolicyDocument"]["Statement"];
            let statements = statements.as_array().unwrap().iter();
            let allowed = statements.filter(|one| one["Effect"] == "Allow").cloned();
            let former = policies.insert(name.to_owned(), allowed.collect());
            assert!(former.is_none(), "{name}");
        }
        for (name, role) in resources(&template, "AWS::IAM::Role") {
            assert!(role["Properties"]["Policies"].is_null(), "{name}");
            roles.push((name.to_owned(), role["Properties"].clone()));
        }
    }
    let mut readers = 0;
    for (name, role) in roles {
        if SERVICES.contains(&name.as_str()) {
            let principal = &role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"];
            assert_ne!(principal["Service"], "lambda.amazonaws.com", "{name}");
            continue;
        }
        let attached = role["ManagedPolicyArns"].as_array().unwrap().iter();
        let statements: Vec<&Value> = attached
            .map(|policy| policy["Ref"].as_str().unwrap_or_else(|| output(policy)))
            .flat_map(|policy| &policies[policy])
            .collect();
        let reads = statements.iter().any(|statement| {
            let reach = statement["Resource"].to_string();
            let mut actions = strings(&statement["Action"]).into_iter();
            (reach.contains("\"*\"") || PHI.iter().any(|named| reach.contains(named)))
                && actions.any(|action| READS.contains(&action))
        });
        let writes = statements.iter().any(|statement| {
            statement["Resource"] == json!({"Ref": "AuditTableArn"})
                && strings(&statement["Action"]).contains(&"dynamodb:PutItem")
        });
        assert!(writes || !reads, "{name}");
        readers += usize::from(reads);
        for statement in statements {
            let reach = statement["Resource"].to_string();
            if !reach.contains("AuditTable") && !reach.contains("\"*\"") {
                continue;
            }
            for action in strings(&statement["Action"]) {
                let on_tables = action.starts_with("dynamodb:");
                assert!(!on_tables || HARMLESS.contains(&action), "{name}: {action}");
            }
        }
    }
    assert!(readers > specs().len() / 2, "{readers}");
}

/// 45 CFR 164.312(a)(2)(iv): whatever keeps anything keeps it under a key of the portal's own. S3
/// delivers its access logs only where its own key encrypts.
#[test]
fn everything_is_kept_under_our_keys() {
    const KEYS: [(&str, &str); 5] = [
        ("AWS::DynamoDB::Table", "/SSESpecification/KMSMasterKeyId"),
        (
            "AWS::S3::Bucket",
            "/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/KMSMasterKeyID",
        ),
        ("AWS::SQS::Queue", "/KmsMasterKeyId"),
        ("AWS::SNS::Topic", "/KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "/KmsKeyId"),
    ];
    let (mut kept, mut delivered) = (BTreeSet::new(), 0);
    for (file, template) in stacks() {
        for (kind, key) in KEYS {
            for (id, resource) in resources(&template, kind) {
                let key = resource["Properties"].pointer(key).unwrap_or(&Value::Null);
                // To those, AWS delivers under no key of others.
                if ["AccessLogBucket", "SignInLogs"].contains(&id) {
                    assert!(key.is_null(), "{file}: {id}");
                    delivered += 1;
                    continue;
                }
                let named = key["Ref"].as_str().unwrap_or_else(|| output(key));
                let ours = ["KeyArn", "Arn"].iter().any(|end| named.ends_with(end));
                assert!(ours && !named.contains("alias/aws"), "{file}: {id}: {key}");
                kept.insert(kind);
            }
        }
    }
    assert_eq!((kept.len(), delivered), (KEYS.len(), 5));
}

/// Logs say who came where and how it ended: nothing that a browser put into an address or a header.
#[test]
fn access_logs_have_no_addresses_and_no_query_strings() {
    const SAID: [&str; 15] = [
        "authorizer.claims.sub",
        "connectionId",
        "error.responseType",
        "eventType",
        "httpMethod",
        "identity.sourceIp",
        "integrationLatency",
        "requestId",
        "requestTimeEpoch",
        "resourcePath",
        "responseLatency",
        "responseLength",
        "routeKey",
        "status",
        "tlsVersion",
    ];
    let (root, realtime) = (stack("template.yaml"), stack("infra/realtime.yaml"));
    let formats = [
        &root["Resources"]["PortalApi"]["Properties"]["AccessLogSetting"]["Format"],
        &realtime["Resources"]["Stage"]["Properties"]["AccessLogSettings"]["Format"],
    ];
    for format in formats {
        let variables = format.as_str().unwrap().split("$context.").skip(1);
        let mut count = 0;
        for variable in variables {
            let end = variable.find(|c: char| !c.is_alphanumeric() && c != '.');
            let variable = &variable[..end.unwrap_or(variable.len())];
            assert!(SAID.contains(&variable), "{variable}");
            count += 1;
        }
        assert!(count >= 8, "{format}");
    }
    // The web ACL sees whole requests: of these its log keeps no address, and it keeps no samples.
    let protection = stack("infra/protection.yaml");
    let logging = &protection["Resources"]["WebAclLogging"]["Properties"];
    let redacted = logging["RedactedFields"].as_array().unwrap();
    for field in [
        json!({"UriPath": {}}),
        json!({"QueryString": {}}),
        json!({"SingleHeader": {"Name": "authorization"}}),
    ] {
        assert!(redacted.contains(&field), "{field}");
    }
    let acl = &protection["Resources"]["WebAcl"]["Properties"];
    let rules = acl["Rules"].as_array().unwrap();
    let mut visible = rules
        .iter()
        .chain([acl])
        .map(|one| &one["VisibilityConfig"]);
    assert!(visible.all(|one| one["SampledRequestsEnabled"] == false));
    let limit = |name: &str| {
        let rule = rules.iter().find(|rule| rule["Name"] == name).unwrap();
        rule["Statement"]["RateBasedStatement"]["Limit"]
            .as_u64()
            .unwrap()
    };
    assert!(limit("activations") * 100 <= limit("flood"));
}

/// A private network is for every function but those that speak to the WebSocket API, which it does
/// not reach; and every role lets Lambda, and Lambda alone, give its function a place there.
#[test]
fn functions_join_the_private_network() {
    let (root, access) = (stack("template.yaml"), stack("infra/access.yaml"));
    let network = &root["Globals"]["Function"]["VpcConfig"]["Fn::If"];
    assert_eq!(network[0], "HasNetwork");
    for spec in specs() {
        let function = &root["Resources"][pascal(spec.id)]["Properties"];
        let posts = spec.needs.contains(&Capability::PostToChannels);
        let outside = function["VpcConfig"] == json!({"Ref": "AWS::NoValue"});
        assert_eq!(outside, posts, "{}", spec.id);
        assert!(outside || function["VpcConfig"].is_null(), "{}", spec.id);
        let role = &root["Resources"][format!("{}Role", pascal(spec.id))]["Properties"];
        let policies = role["ManagedPolicyArns"].as_array().unwrap().iter();
        let run = policies
            .map(output)
            .find(|name| name.starts_with("Run"))
            .unwrap();
        let statements = &access["Resources"][run]["Properties"]["PolicyDocument"]["Statement"];
        let statements = statements.as_array().unwrap();
        let named = |sid: &str| statements.iter().find(|one| one["Sid"] == sid);
        if outside {
            continue;
        }
        let (lets, denies) = (named("JoinNetwork"), named("LambdaAloneJoinsNetwork"));
        let (lets, denies) = (lets.expect(run), denies.expect(run));
        assert_eq!(
            (&lets["Effect"], &denies["Effect"]),
            (&"Allow".into(), &"Deny".into())
        );
        assert_eq!(lets["Action"], denies["Action"], "{run}");
        assert_eq!(
            denies["Condition"],
            json!({"Null": {"lambda:SourceFunctionArn": "false"}})
        );
    }
}

/// CloudFormation takes 500 resources in a template, and every operation stands in the root.
#[tokio::test]
async fn the_root_stays_inside_its_budget() {
    const TRANSFORM: &str = "
import json, sys
from samtranslator.translator.transform import transform
class NoPolicies:
    def load(self):
        return {}
template = json.load(sys.stdin)
print(len(transform(template, {'AWS::Region': 'us-east-1'}, NoPolicies())['Resources']))
";
    let mut template = stack("template.yaml");
    for (_, resource) in template["Resources"].as_object_mut().unwrap() {
        if resource["Type"] == "AWS::Serverless::Application" {
            resource["Properties"]["Location"] = "https://s3.amazonaws.com/packaged".into();
        }
        if resource["Type"] == "AWS::Serverless::Function" {
            resource["Properties"]["CodeUri"] = "s3://packaged/code".into();
        }
    }
    let programs = xtask::tools::install(xtask::tools::Set::Emulator)
        .await
        .unwrap();
    let mut python = std::process::Command::new(programs.join("python"))
        .args(["-c", TRANSFORM])
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(python.stdin.take().unwrap(), &template).unwrap();
    let output = python.wait_with_output().unwrap();
    let count: usize = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(
        (3 * specs().len()..=450).contains(&count),
        "{count} resources"
    );
}

/// Every sample event is one that the operation takes.
#[test]
fn every_event_is_taken() {
    struct Events(usize);
    impl Visitor for Events {
        fn operation<Op: Operation>(&mut self) {
            let id = Op::SPEC.id;
            let event = std::fs::read_to_string(root().join(format!("events/{id}.json"))).unwrap();
            let request = match Op::SPEC.trigger {
                Trigger::Socket { .. } => {
                    Request::from_socket(&serde_json::from_str(&event).unwrap())
                }
                _ => Request::from_lambda(lambda_http::request::from_str(&event).unwrap()),
            };
            assert!(
                Op::parse(&request).is_ok(),
                "{id}: {:?}",
                Op::parse(&request).err()
            );
            assert!(Op::Subject::named(&request).is_ok(), "{id}");
            let by_token = matches!(
                Op::SPEC.trigger,
                Trigger::Http {
                    auth: Auth::Token,
                    ..
                }
            );
            assert_eq!(request.claims.is_some(), by_token, "{id}");
            assert!(!request.request_id.is_empty(), "{id}");
            self.0 += 1;
        }

        fn event(&mut self, spec: &'static Spec) {
            let file = root().join(format!("events/{}.json", spec.id));
            let event: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            assert!(event.is_object(), "{}", spec.id);
            self.0 += 1;
        }
    }
    let mut events = Events(0);
    visit_all(&mut events);
    assert_eq!(events.0, specs().len());
}
