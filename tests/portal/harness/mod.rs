//! What the tests stand on: one emulator for the whole run, and for each test tables, keys and a
//! user pool of its own.

pub mod archive;
pub mod channels;
pub mod function;
pub mod letter;
pub mod lines;
pub mod mail;
pub mod messages;
pub mod recorder;
pub mod request;
pub mod schedule;
pub mod watch;
pub mod world;

use aws_credential_types::Credentials;
use jiff::{SignedDuration, Timestamp};
use recorder::Recorder;
use serde_json::{Value, json};
use shared::aws::{Aws, Resource};
use shared::ids::{AccountId, PatientId, PractitionerId};
use shared::practice::Practice;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tokio::sync::OnceCell;
use uuid::Uuid;
use xtask::emulator::Emulator;
use xtask::home::Home;

/// Where a page of the app would come from; no test has one.
const APP: &str = "http://127.0.0.1";

/// The emulator ends with this process: its standard input closes.
async fn endpoint() -> &'static str {
    static EMULATOR: OnceCell<(Emulator, tempfile::TempDir)> = OnceCell::const_new();
    let (emulator, _) = EMULATOR
        .get_or_init(|| async {
            let folder = tempfile::tempdir().unwrap();
            let home = Home::at(folder.path()).unwrap();
            (Emulator::start(&home, None, APP).await.unwrap(), folder)
        })
        .await;
    emulator.endpoint()
}

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Tables, keys, bucket and user pool of one test.
pub struct Stack {
    pub names: HashMap<Resource, String>,
    pub root: xtask::aws::Aws,
    endpoint: &'static str,
}

impl Stack {
    pub async fn new() -> Self {
        lines::keep();
        let endpoint = endpoint().await;
        let root = xtask::aws::Aws::new(endpoint).unwrap();
        let mut names = HashMap::new();
        let tables = [
            (Resource::AccountsTable, "data", "AccountsTable"),
            (Resource::PatientsTable, "data", "PatientsTable"),
            (Resource::RecordsTable, "data", "RecordsTable"),
            (Resource::DocumentsTable, "data", "DocumentsTable"),
            (Resource::DirectoryTable, "data", "DirectoryTable"),
            (Resource::ScheduleTable, "data", "ScheduleTable"),
            (Resource::MessagesTable, "data", "MessagesTable"),
            (Resource::ChannelsTable, "data", "ChannelsTable"),
            (Resource::AuditTable, "audit", "AuditTable"),
            (Resource::ChainTable, "audit", "ChainTable"),
            (Resource::WatchTable, "audit", "WatchTable"),
        ];
        let unique = Uuid::new_v4().simple().to_string();
        for (resource, file, id) in tables {
            let name = format!("{unique}-{id}");
            let mut table = properties(file, id);
            table["TableName"] = json!(name);
            root.call("dynamodb", "DynamoDB_20120810.CreateTable", &table)
                .await
                .unwrap()
                .ok()
                .unwrap();
            names.insert(resource, name);
        }
        for (resource, key) in [
            (Resource::PhiKey, json!({})),
            (Resource::MessageKey, json!({})),
            (Resource::DataKey, json!({})),
            (
                Resource::SigningKey,
                json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}),
            ),
            (
                Resource::IndexKey,
                json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}),
            ),
        ] {
            let answer = root
                .call("kms", "TrentService.CreateKey", &key)
                .await
                .unwrap()
                .ok()
                .unwrap();
            names.insert(resource, text(&answer, "/KeyMetadata/KeyId"));
        }
        let pool = json!({
            "PoolName": unique,
            "UsernameAttributes": ["email"],
            "UserPoolAddOns": {"AdvancedSecurityMode": "ENFORCED"},
        });
        let pool = root
            .cognito("CreateUserPool", &pool)
            .await
            .unwrap()
            .ok()
            .unwrap();
        let pool = text(&pool, "/UserPool/Id");
        for role in shared::access::Role::ALL {
            let group = json!({"UserPoolId": pool, "GroupName": role.group()});
            root.cognito("CreateGroup", &group)
                .await
                .unwrap()
                .ok()
                .unwrap();
        }
        names.insert(Resource::UserPool, pool);
        for (resource, use_of_it) in [
            (Resource::ImportBucket, "import"),
            (Resource::QuarantineBucket, "quarantine"),
            (Resource::DocumentsBucket, "documents"),
            (Resource::ExportsBucket, "exports"),
        ] {
            let name = format!("{unique}-{use_of_it}");
            root.create_bucket(&name).await.unwrap();
            names.insert(resource, name);
        }
        archive::create(&root, &unique, &mut names).await;
        names.insert(Resource::AlarmTopic, watch::topic(&root, &unique).await);
        // No such API is there: to the emulator, every connection of it is gone.
        names.insert(Resource::ChannelApi, format!("{unique}-channels"));
        names.insert(Resource::MailSender, mail::sender(&root, &unique).await);
        let digits = Uuid::new_v4().as_u128() % 10_000_000_000;
        names.insert(Resource::TextSender, format!("+1{digits:010}"));
        Self {
            names,
            root,
            endpoint,
        }
    }

    /// Fresh clients, as a cold start makes them, with every call recorded.
    pub fn aws(&self, recorder: &Recorder) -> Aws {
        // The sample patient whom most tests are about was born in 2020, and is to have an account.
        // Tests make appointments for one patient as they need them.
        let practice = Practice::new("America/New_York", 5, 18).unwrap();
        self.aws_of(recorder, practice.booking_at_most(100))
    }

    /// The same of a practice in another place, or with other ages.
    pub fn aws_of(&self, recorder: &Recorder, practice: Practice) -> Aws {
        Aws::new(
            "us-east-1".to_owned(),
            Some(self.endpoint.to_owned()),
            Credentials::new("test", "test", None, None, "tests"),
            recorder.client(),
            self.names.clone(),
            practice,
        )
    }

    fn name(&self, resource: Resource) -> &str {
        &self.names[&resource]
    }

    /// Calls DynamoDB as the tables' owner.
    pub async fn dynamodb(&self, operation: &str, body: Value) -> Value {
        let target = format!("DynamoDB_20120810.{operation}");
        self.root
            .call("dynamodb", &target, &body)
            .await
            .unwrap()
            .ok()
            .unwrap()
    }

    /// Every item of a table, without type tags.
    pub async fn items(&self, resource: Resource) -> Vec<Value> {
        self.scan(resource).await.iter().map(plain).collect()
    }

    /// Every item of a table, as DynamoDB gives it.
    pub async fn scan(&self, resource: Resource) -> Vec<Value> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut scan = json!({"TableName": self.name(resource), "ConsistentRead": true});
            if !start.is_null() {
                scan["ExclusiveStartKey"] = start;
            }
            let page = self.dynamodb("Scan", scan).await;
            items.extend(page["Items"].as_array().unwrap().iter().cloned());
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                return items;
            }
        }
    }

    /// As if nobody had asked for a copy of a record yet.
    pub async fn forget_exports(&self) {
        for row in self.scan(Resource::DocumentsTable).await {
            if row["sk"]["S"].as_str().unwrap().starts_with("EXPORT") {
                let key = json!({"pk": row["pk"], "sk": row["sk"]});
                let table = self.name(Resource::DocumentsTable);
                let delete = json!({"TableName": table, "Key": key});
                self.dynamodb("DeleteItem", delete).await;
            }
        }
    }

    /// As if nobody waited for an appointment.
    pub async fn forget_waitlist(&self) {
        for row in self.scan(Resource::ScheduleTable).await {
            let sk = row["sk"]["S"].as_str().unwrap();
            if sk.starts_with("WAITLIST#") || sk == "ROSTER#WAITLIST" {
                let key = json!({"pk": row["pk"], "sk": row["sk"]});
                let table = self.name(Resource::ScheduleTable);
                let delete = json!({"TableName": table, "Key": key});
                self.dynamodb("DeleteItem", delete).await;
            }
        }
    }

    /// As if nothing had been recorded yet: one record among thousands takes long to find.
    pub async fn forget_audit(&self) {
        let table = self.name(Resource::AuditTable);
        for records in self.scan(Resource::AuditTable).await.chunks(25) {
            let deletes = records.iter().map(|record| {
                let key = json!({"pk": record["pk"], "sk": record["sk"]});
                json!({"DeleteRequest": {"Key": key}})
            });
            let deletes: Vec<_> = deletes.collect();
            self.dynamodb("BatchWriteItem", json!({"RequestItems": {table: deletes}}))
                .await;
        }
    }

    /// Every audit record, oldest first.
    pub async fn audit(&self) -> Vec<Value> {
        let mut records = self.items(Resource::AuditTable).await;
        records.sort_by_key(|record| record["sk"].as_str().unwrap().to_owned());
        records
    }

    /// The audit records that came since some were there, oldest first.
    pub async fn records_since(&self, before: &[Value]) -> Vec<Value> {
        let before: HashSet<_> = before.iter().collect();
        let mut records = self.audit().await;
        records.retain(|record| !before.contains(record));
        records
    }

    /// An account's row; null if there is none.
    pub async fn account_row(&self, account: AccountId) -> Value {
        let key = format!("ACCOUNT#{account}");
        let mut rows = self.items(Resource::AccountsTable).await.into_iter();
        rows.find(|row| row["pk"] == key.as_str())
            .unwrap_or_default()
    }

    /// The users of the pool whom a filter of Cognito's finds.
    pub async fn users(&self, filter: &str) -> Vec<Value> {
        let search = json!({"UserPoolId": self.name(Resource::UserPool), "Filter": filter});
        let found = self.cognito("ListUsers", &search).await;
        found["Users"].as_array().unwrap().clone()
    }

    pub async fn put(&self, resource: Resource, item: Value) {
        let put = json!({"TableName": self.name(resource), "Item": item});
        self.dynamodb("PutItem", put).await;
    }

    /// A practitioner in the directory.
    pub async fn practitioner(&self, name: &str) -> PractitionerId {
        let id = Uuid::new_v4();
        let item = json!({
            "pk": {"S": format!("PRACTITIONER#{id}")},
            "name": {"S": name},
            "active": {"BOOL": true},
        });
        self.put(Resource::DirectoryTable, item).await;
        PractitionerId::new(id)
    }

    /// An account that signed in at [`request::SIGNED_IN`], and its user in the pool.
    pub async fn account(&self, role: shared::access::Role, whose: Whose) -> AccountId {
        let address = format!("{}@example.org", Uuid::new_v4().simple());
        self.account_at(&address, role, whose).await
    }

    /// The same with an address.
    pub async fn account_at(
        &self,
        address: &str,
        role: shared::access::Role,
        whose: Whose,
    ) -> AccountId {
        let pool = &self.names[&Resource::UserPool];
        let create = json!({
            "UserPoolId": pool,
            "Username": address,
            "TemporaryPassword": "Temporary-Password-1",
            "MessageAction": "SUPPRESS",
            "UserAttributes": [{"Name": "email_verified", "Value": "true"}],
        });
        let created = self.cognito("AdminCreateUser", &create).await;
        let attributes = created["User"]["Attributes"].as_array().unwrap();
        let sub = attributes
            .iter()
            .find(|attribute| attribute["Name"] == "sub")
            .unwrap();
        let account: AccountId = sub["Value"].as_str().unwrap().parse().unwrap();
        let group = json!({"UserPoolId": pool, "Username": address, "GroupName": role.group()});
        self.cognito("AdminAddUserToGroup", &group).await;
        let mut item = json!({
            "pk": {"S": format!("ACCOUNT#{account}")},
            "role": {"S": role.as_str()},
            "status": {"S": "active"},
        });
        match whose {
            Whose::Patient(patient) => item["patient"] = json!({"S": patient.to_string()}),
            Whose::Practitioner(id) => item["practitioner"] = json!({"S": id.to_string()}),
            Whose::Nobody => {}
        }
        self.put(Resource::AccountsTable, item).await;
        if role == shared::access::Role::Admin {
            let count = json!({
                "TableName": self.name(Resource::AccountsTable),
                "Key": {"pk": {"S": "ADMINISTRATORS"}},
                "UpdateExpression": "ADD accounts :account",
                "ExpressionAttributeValues": {":account": {"SS": [account]}},
            });
            self.dynamodb("UpdateItem", count).await;
        }
        account
    }

    /// Calls Cognito as the pool's owner.
    pub async fn cognito(&self, operation: &str, body: &Value) -> Value {
        let answer = self.root.cognito(operation, body).await.unwrap();
        answer.ok().unwrap()
    }

    /// Imports a file as the bucket's notification would, and returns the report.
    pub async fn import(&self, name: &str, file: Vec<u8>) -> Value {
        let bucket = self.name(Resource::ImportBucket);
        let key = format!("inbox/{name}");
        self.root.put_object(bucket, &key, file).await.unwrap();
        let service = bootstrap::service("import-records").unwrap();
        let service = service(&self.aws(&Recorder::default())).unwrap();
        let event = json!({"Records": [{
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key}}
        }]});
        service
            .handle(event, "import".to_owned())
            .await
            .unwrap()
            .unwrap();
        self.object(&format!("reports/{name}")).await
    }

    /// A JSON object of the import bucket.
    pub async fn object(&self, key: &str) -> Value {
        let path = format!("/{}/{key}", self.name(Resource::ImportBucket));
        let request = self.root.request("s3", xtask::aws::Method::GET, &path);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{key}: {}", answer.status());
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Imports one of the sample files and returns its patient.
    pub async fn sample(&self, part_of_name: &str) -> PatientId {
        let before = self.patients().await;
        let (name, file) = sample(part_of_name);
        let report = self.import(&name, file).await;
        assert_eq!(report["state"], "complete", "{report}");
        let after = self.patients().await;
        let mut new = after
            .into_iter()
            .filter(|patient| !before.contains(patient));
        new.next().expect("a new patient")
    }

    pub async fn patients(&self) -> Vec<PatientId> {
        self.items(Resource::PatientsTable)
            .await
            .iter()
            .filter(|item| item["sk"] == "CONTEXT#PROFILE")
            .map(|item| {
                item["pk"].as_str().unwrap()["PATIENT#".len()..]
                    .parse()
                    .unwrap()
            })
            .collect()
    }

    /// The row of a proxy's grant, as DynamoDB gives it, and the account that it is for.
    pub async fn proxy_row(&self, grant: &str) -> (Value, AccountId) {
        let rows = self.scan(Resource::PatientsTable).await.into_iter();
        let mut rows = rows.filter_map(|row| {
            let account = row["sk"]["S"].as_str()?.strip_prefix("CONTEXT#PROXY#")?;
            let account = account.parse().unwrap();
            (row["grant"]["S"] == grant).then_some((row, account))
        });
        rows.next().expect("a grant")
    }

    /// Lets a visit of half an hour begin at another time, without a care for what is taken.
    pub async fn begins(&self, patient: PatientId, appointment: &str, start: Timestamp) {
        let end = start + SignedDuration::from_mins(30);
        let starts = format!("{}#{appointment}", shared::store::sortable(start));
        let update = json!({
            "TableName": self.name(Resource::ScheduleTable),
            "Key": {
                "pk": {"S": format!("PATIENT#{patient}")},
                "sk": {"S": format!("APPOINTMENT#{appointment}")},
            },
            "UpdateExpression": "SET #start = :start, #end = :end, starts = :starts",
            "ExpressionAttributeNames": {"#start": "start", "#end": "end"},
            "ExpressionAttributeValues": {
                ":start": {"S": start}, ":end": {"S": end}, ":starts": {"S": starts},
            },
        });
        self.dynamodb("UpdateItem", update).await;
    }

    /// The practitioners on a patient's care team.
    pub async fn care_team(&self, patient: PatientId) -> Vec<PractitionerId> {
        let pk = format!("PATIENT#{patient}");
        self.items(Resource::PatientsTable)
            .await
            .iter()
            .filter(|item| item["pk"] == pk.as_str())
            .filter_map(|item| {
                item["sk"]
                    .as_str()?
                    .strip_prefix("CONTEXT#CARE-TEAM#")?
                    .parse()
                    .ok()
            })
            .collect()
    }
}

/// What an account is linked to.
pub enum Whose {
    Patient(PatientId),
    Practitioner(PractitionerId),
    Nobody,
}

/// A sample file, by a part of its name.
pub fn sample(part_of_name: &str) -> (String, Vec<u8>) {
    static FILES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let folder = root().join("tests/data/synthea");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .collect()
    });
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let file = files
        .iter()
        .find(|path| name(path).contains(part_of_name))
        .unwrap();
    // Object keys of the tests are plain ASCII; the files' names are not.
    (
        format!("{}.json", Uuid::new_v4()),
        std::fs::read(file).unwrap(),
    )
}

/// A resource's properties in one of the stacks.
fn properties(file: &str, id: &str) -> Value {
    let template = xtask::template::read(&root().join(format!("infra/{file}.yaml"))).unwrap();
    let all = &template["Resources"][id]["Properties"];
    let kept = [
        "BillingMode",
        "AttributeDefinitions",
        "KeySchema",
        "LocalSecondaryIndexes",
        "GlobalSecondaryIndexes",
    ];
    let kept = kept.iter().filter(|name| !all[**name].is_null());
    Value::Object(
        kept.map(|name| ((*name).to_owned(), all[*name].clone()))
            .collect(),
    )
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap()
        .to_owned()
}

/// An item without DynamoDB's type tags.
fn plain(item: &Value) -> Value {
    let attributes = item.as_object().unwrap().iter().map(|(name, typed)| {
        let value = typed.as_object().unwrap().values().next().unwrap();
        (name.clone(), value.clone())
    });
    Value::Object(attributes.collect())
}
