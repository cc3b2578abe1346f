//! The sample patients and demo accounts that a new local stack starts with.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};
use data_encoding::BASE64URL_NOPAD;
use futures_util::stream::{self, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::access::Role;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::activation;
use crate::aws::{Aws, Method};
use crate::home::{Home, Portal, workspace};
use crate::totp;

/// A demo account, as it is printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    pub role: String,
    pub email: String,
    pub password: String,
    /// Base32, for an authenticator app.
    pub totp_secret: String,
}

/// The patients who get demo accounts: a part of their files' names.
const PATIENTS: [&str; 2] = ["Brent_Beer", "Luisa_Razo"];

/// The file that the other samples refer to.
const DIRECTORY: &str = "bulk24_directory.json";

/// How many files are imported at a time: a function process each, on as many cores.
const AT_ONCE: usize = 2;

/// Imports the samples, unless they are there, and returns the accounts to print, every time.
pub async fn load(home: &Home, aws: &Aws, portal: &Portal) -> Result<Vec<Account>> {
    let file = file(home);
    if let Ok(text) = fs::read(&file) {
        let accounts: Vec<Account> = serde_json::from_slice(&text)?;
        if exist(aws, portal, &accounts).await? {
            return Ok(accounts);
        }
    }
    import(aws, portal).await?;
    let mut accounts = Vec::new();
    for name in PATIENTS {
        let demo = patient(&sample(name)?)?;
        let email = format!("patient{}@example.org", accounts.len() + 1);
        accounts.push(activate(aws, portal, &demo, &email).await?);
    }
    let practitioner = practitioner(aws, portal).await?;
    let provider = staff(aws, portal, Role::Provider, Some(practitioner)).await?;
    begin_work(aws, portal, &provider).await?;
    accounts.push(provider);
    accounts.push(staff(aws, portal, Role::Admin, None).await?);
    accounts.push(staff(aws, portal, Role::PrivacyOfficer, None).await?);
    fs::write(&file, serde_json::to_vec_pretty(&accounts)?)?;
    Ok(accounts)
}

fn file(home: &Home) -> PathBuf {
    home.path().join("accounts.json")
}

/// The demo account with this address.
pub fn account(home: &Home, email: &str) -> Result<Account> {
    let file = file(home);
    let text = fs::read(&file).with_context(|| format!("{} is not there", file.display()))?;
    let accounts: Vec<Account> = serde_json::from_slice(&text)?;
    let named = accounts.into_iter().find(|account| account.email == email);
    named.context("no demo account has this address")
}

/// Are these the accounts of the stack that is deployed? A stack made anew has none of them.
async fn exist(aws: &Aws, portal: &Portal, accounts: &[Account]) -> Result<bool> {
    for account in accounts {
        let user = json!({"UserPoolId": portal.user_pool_id, "Username": account.email});
        if !aws.cognito("AdminGetUser", &user).await?.is_ok() {
            return Ok(false);
        }
    }
    Ok(!accounts.is_empty())
}

/// Drops every sample into the import bucket and waits for its report.
async fn import(aws: &Aws, portal: &Portal) -> Result<()> {
    let bucket = output(portal, "ImportBucketName")?;
    let mut files = samples()?;
    // Practitioners first, so that the patients' files find them by name.
    files.sort_by_key(|file| !file.ends_with(DIRECTORY));
    let names = 1..=files.len();
    let (first, rest) = files.split_first().context("there are no samples")?;
    import_one(aws, bucket, first, "sample-01.json").await?;
    let done = std::sync::atomic::AtomicUsize::new(1);
    stream::iter(rest.iter().zip(names.clone().skip(1)).map(Ok))
        .try_for_each_concurrent(AT_ONCE, |(file, number)| {
            let done = &done;
            async move {
                import_one(aws, bucket, file, &format!("sample-{number:02}.json")).await?;
                let done = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                eprint!("\r      {done} of {} files imported", rest.len() + 1);
                Ok::<_, anyhow::Error>(())
            }
        })
        .await?;
    eprintln!();
    Ok(())
}

async fn import_one(aws: &Aws, bucket: &str, file: &Path, name: &str) -> Result<()> {
    aws.put_object(bucket, &format!("inbox/{name}"), fs::read(file)?)
        .await?;
    let report = format!("/{bucket}/reports/{name}");
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let answer = aws.request("s3", Method::GET, &report).send().await?;
        if answer.status().is_success() {
            let report: Value = serde_json::from_slice(&answer.bytes().await?)?;
            match report.get("state").and_then(Value::as_str) {
                Some("complete") => return Ok(()),
                Some("continued") => {}
                _ => bail!("{} was not imported: {report}", file.display()),
            }
        }
        ensure!(
            Instant::now() < deadline,
            "{} was not imported within 5 minutes; the emulator's log may say why",
            file.display()
        );
        sleep(Duration::from_millis(200)).await;
    }
}

fn samples() -> Result<Vec<PathBuf>> {
    let folder = workspace().join("tests/data/synthea");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The sample whose name has this in it.
fn sample(part_of_name: &str) -> Result<PathBuf> {
    let named = |file: &PathBuf| file.to_string_lossy().contains(part_of_name);
    let found = samples()?.into_iter().find(named);
    found.with_context(|| format!("there is no sample {part_of_name}"))
}

/// What a patient proves at activation.
struct Demo {
    mrn: String,
    birth_date: String,
}

fn patient(file: &Path) -> Result<Demo> {
    let bytes = fs::read(file)?;
    let plan = shared::fhir::read(&bytes, jiff::Timestamp::now())
        .map_err(|error| anyhow::anyhow!("{}: {}", file.display(), error.code()))?;
    let subject = plan.patients.first().map(|record| &record.subject);
    let view = subject.and_then(shared::fhir::Subject::view);
    let view = view.with_context(|| format!("{} holds no patient", file.display()))?;
    Ok(Demo {
        mrn: view.medical_record_number.context("no MRN")?.value,
        birth_date: view
            .birth_date
            .context("no birth date")?
            .as_str()
            .to_owned(),
    })
}

/// Activates a patient's account as the patient would, through the front door's API.
async fn activate(aws: &Aws, portal: &Portal, demo: &Demo, email: &str) -> Result<Account> {
    let code = activation::issue(portal, &demo.mrn, &demo.birth_date).await?;
    let answer = api(aws, portal, Method::POST, "/v1/activations")
        .header("idempotency-key", Uuid::new_v4().to_string())
        .body(
            json!({"mrn": demo.mrn, "birth_date": demo.birth_date, "code": code, "email": email})
                .to_string(),
        )
        .send()
        .await?;
    succeeded(answer, "activation").await?;
    finish(aws, portal, "patient", email).await
}

/// Makes a member of staff as an administrator of AWS can: user, group and account row.
async fn staff(
    aws: &Aws,
    portal: &Portal,
    role: Role,
    practitioner: Option<String>,
) -> Result<Account> {
    let email = format!("{}@example.org", role.as_str());
    let pool = &portal.user_pool_id;
    let create = json!({
        "UserPoolId": pool, "Username": email, "MessageAction": "SUPPRESS",
        "TemporaryPassword": password()?,
        "UserAttributes": [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
    });
    let user = aws.cognito("AdminCreateUser", &create).await?.ok()?;
    let group = json!({"UserPoolId": pool, "Username": email, "GroupName": role.group()});
    aws.cognito("AdminAddUserToGroup", &group).await?.ok()?;
    let attributes = user.pointer("/User/Attributes").and_then(Value::as_array);
    let sub = attributes
        .and_then(|all| {
            all.iter()
                .find(|one| one.get("Name") == Some(&json!("sub")))
        })
        .and_then(|sub| sub.get("Value")?.as_str())
        .context("the new user has no subject")?;
    let mut item = json!({
        "pk": {"S": format!("ACCOUNT#{sub}")},
        "role": {"S": role.as_str()},
        "status": {"S": "active"},
        "created_at": {"S": jiff::Timestamp::now().to_string()},
    });
    if let (Some(practitioner), Some(item)) = (&practitioner, item.as_object_mut()) {
        item.insert("practitioner".to_owned(), json!({"S": practitioner}));
        if let Some(name) = name_of(aws, portal, practitioner).await? {
            item.insert("name".to_owned(), json!({"S": name}));
        }
    }
    let of_practitioner = practitioner.map(|practitioner| {
        json!({
            "pk": {"S": format!("PRACTITIONER-OF#{practitioner}")},
            "account": {"S": sub},
        })
    });
    for item in [Some(item), of_practitioner].into_iter().flatten() {
        let put = json!({"TableName": output(portal, "AccountsTableName")?, "Item": item});
        aws.call("dynamodb", "DynamoDB_20120810.PutItem", &put)
            .await?
            .ok()?;
    }
    if role == Role::Admin {
        // As README.md says of the first administrator.
        let count = json!({
            "TableName": output(portal, "AccountsTableName")?,
            "Key": {"pk": {"S": "ADMINISTRATORS"}},
            "UpdateExpression": "ADD accounts :account",
            "ExpressionAttributeValues": {":account": {"SS": [sub]}},
        });
        aws.call("dynamodb", "DynamoDB_20120810.UpdateItem", &count)
            .await?
            .ok()?;
    }
    finish(aws, portal, role.as_str(), &email).await
}

/// Chooses the password, verifies the address and sets up the authenticator.
async fn finish(aws: &Aws, portal: &Portal, role: &str, email: &str) -> Result<Account> {
    let password = password()?;
    let set = json!({
        "UserPoolId": portal.user_pool_id, "Username": email,
        "Password": password, "Permanent": true,
    });
    aws.cognito("AdminSetUserPassword", &set).await?.ok()?;
    let verify = json!({
        "UserPoolId": portal.user_pool_id, "Username": email,
        "UserAttributes": [{"Name": "email_verified", "Value": "true"}],
    });
    aws.cognito("AdminUpdateUserAttributes", &verify)
        .await?
        .ok()?;
    let totp_secret = set_up_authenticator(aws, &portal.user_pool_client_id, email).await?;
    Ok(Account {
        role: role.to_owned(),
        email: email.to_owned(),
        password,
        totp_secret,
    })
}

fn password() -> Result<String> {
    Ok(shared::identity::temporary_password()?.as_str().to_owned())
}

/// A practitioner on the first demo patient's care team.
async fn practitioner(aws: &Aws, portal: &Portal) -> Result<String> {
    let [first, _] = PATIENTS;
    let patient = activation::patient(portal, &patient(&sample(first)?)?.mrn).await?;
    let query = json!({
        "TableName": output(portal, "PatientsTableName")?,
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :member)",
        "ExpressionAttributeValues": {
            ":pk": {"S": format!("PATIENT#{patient}")},
            ":member": {"S": "CONTEXT#CARE-TEAM#"},
        },
    });
    let members = aws
        .call("dynamodb", "DynamoDB_20120810.Query", &query)
        .await?
        .ok()?;
    let member = members.pointer("/Items/0/sk/S").and_then(Value::as_str);
    let id = member.and_then(|sk| sk.rsplit('#').next());
    Ok(id.context("the patient has no care team")?.to_owned())
}

/// What the directory calls a practitioner.
async fn name_of(aws: &Aws, portal: &Portal, practitioner: &str) -> Result<Option<String>> {
    let get = json!({
        "TableName": output(portal, "DirectoryTableName")?,
        "Key": {"pk": {"S": format!("PRACTITIONER#{practitioner}")}},
    });
    let row = aws
        .call("dynamodb", "DynamoDB_20120810.GetItem", &get)
        .await?
        .ok()?;
    let name = row.pointer("/Item/name/S").and_then(Value::as_str);
    Ok(name.map(str::to_owned))
}

pub(crate) fn output<'a>(portal: &'a Portal, name: &str) -> Result<&'a str> {
    let output = portal.outputs.get(name).map(String::as_str);
    output.with_context(|| format!("the stack has no output {name}"))
}

/// Sets up an authenticator for a user, as if they had scanned the code, and returns its secret.
pub async fn set_up_authenticator(aws: &Aws, client: &str, user: &str) -> Result<String> {
    let tokens = Tokens::minted(aws, client, user).await?;
    let started = aws
        .cognito(
            "AssociateSoftwareToken",
            &json!({"AccessToken": tokens.access}),
        )
        .await?
        .ok()?;
    let secret = text(&started, "/SecretCode")?;
    let verify = json!({"AccessToken": tokens.access, "UserCode": totp::code(&secret)?});
    aws.cognito("VerifySoftwareToken", &verify).await?.ok()?;
    tokens.revoke(aws, client).await?;
    Ok(secret)
}

/// What a user holds who is signed in.
struct Tokens {
    access: String,
    refresh: String,
}

impl Tokens {
    /// From the emulator itself, which lets anybody finish a sign-in; the front door would not.
    async fn minted(aws: &Aws, client: &str, user: &str) -> Result<Self> {
        let finish = json!({
            "ClientId": client, "ChallengeName": "MFA_SETUP", "ChallengeResponses": {"USERNAME": user}});
        let signed_in = aws.cognito("RespondToAuthChallenge", &finish).await?.ok()?;
        Ok(Self {
            access: text(&signed_in, "/AuthenticationResult/AccessToken")?,
            refresh: text(&signed_in, "/AuthenticationResult/RefreshToken")?,
        })
    }

    async fn revoke(self, aws: &Aws, client: &str) -> Result<()> {
        let token = json!({"ClientId": client, "Token": self.refresh});
        aws.cognito("RevokeToken", &token).await?.ok()?;
        Ok(())
    }
}

fn text(body: &Value, pointer: &str) -> Result<String> {
    let text = body.pointer(pointer).and_then(Value::as_str);
    let text = text.with_context(|| format!("the emulator gave no {pointer}"))?;
    Ok(text.to_owned())
}

/// How a key for messages (P-256) is made: PKCS #8 does not say that it is one to agree on secrets with.
const KEYS: &EcdsaSigningAlgorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;

/// Has the demo provider set hours and the practice's first message key, as they would on their first
/// day: without these nobody could book a visit, or write to the practice.
async fn begin_work(aws: &Aws, portal: &Portal, provider: &Account) -> Result<()> {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday"];
    let weekly = days.into_iter().flat_map(|day| {
        [("09:00", "12:00"), ("13:00", "17:00")].map(|(from, to)| {
            json!({"day": day, "from": from, "to": to, "location": "Main Street", "types": ["office-visit", "video-visit"]})
        })
    });
    let hours = json!({
        "specialty": "family-medicine",
        "time_zone": "America/New_York",
        "minimum_notice_minutes": 60,
        "horizon_days": 60,
        "start_every_minutes": 30,
        "appointment_types": [
            {"code": "office-visit", "name": "Office visit", "minutes": 30, "modality": "in-person"},
            {"code": "video-visit", "name": "Video visit", "minutes": 30, "modality": "video"},
        ],
        "weekly": weekly.collect::<Vec<_>>(),
        "exceptions": [],
    });
    let tokens = Tokens::minted(aws, &portal.user_pool_client_id, &provider.email).await?;
    let answer = api(aws, portal, Method::PUT, "/v1/availability")
        .bearer_auth(&tokens.access)
        .header("if-match", "\"0\"")
        .body(hours.to_string())
        .send()
        .await?;
    succeeded(answer, "setting hours").await?;
    let document = EcdsaKeyPair::generate_pkcs8(KEYS, &SystemRandom::new())?;
    let pair = EcdsaKeyPair::from_pkcs8(KEYS, document.as_ref())?;
    let key = json!({
        "public_key": BASE64URL_NOPAD.encode(pair.public_key().as_ref()),
        "private_key": BASE64URL_NOPAD.encode(document.as_ref()),
    });
    let answer = api(aws, portal, Method::POST, "/v1/message-keys/providers")
        .bearer_auth(&tokens.access)
        .body(key.to_string())
        .send()
        .await?;
    succeeded(answer, "registering the practice's key").await?;
    tokens.revoke(aws, &portal.user_pool_client_id).await
}

/// A request to the API, with JSON.
fn api(aws: &Aws, portal: &Portal, method: Method, path: &str) -> reqwest::RequestBuilder {
    let stage = format!(
        "/restapis/{}/{}/_user_request_",
        portal.api_id, portal.stage
    );
    aws.plain(method, &format!("{stage}{path}"))
        .header("content-type", "application/json")
}

async fn succeeded(answer: reqwest::Response, what: &str) -> Result<()> {
    let status = answer.status();
    ensure!(
        status.is_success(),
        "{what} answered {status}: {}",
        answer.text().await?
    );
    Ok(())
}
