//! The gate's rules, with an SRP client that nobody here wrote.
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::time::Duration;

use aws_cognito_srp::{SrpClient, User};
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use xtask::aws::{Aws, Method};
use xtask::emulator::Emulator;
use xtask::gate::{Config, Gate};
use xtask::home::Home;
use xtask::{sample, totp};

use crate::browser::{Answer, Browser, Codes};

const ANN: &str = "ann@example.com";
const PASSWORD: &str = "correct horse battery 7";
const SIGN_INS: &str = "/portal/sign-ins";
/// The origin of an app that is not there.
const APP: &str = "http://127.0.0.1:9";

/// A pool as the portal's, with one user, behind the gate.
struct Portal {
    browser: Browser,
    aws: Aws,
    folder: TempDir,
    _emulator: Emulator,
}

impl Deref for Portal {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        &self.browser
    }
}

impl Portal {
    async fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        let emulator = Emulator::start(&home, None, APP).await.unwrap();
        let aws = Aws::new(emulator.endpoint()).unwrap();
        let pool = json!({
            "PoolName": "users",
            "MfaConfiguration": "ON",
            "UsernameAttributes": ["email"],
            "Policies": {"PasswordPolicy": {"MinimumLength": 14, "RequireNumbers": false,
                "RequireSymbols": false, "RequireUppercase": false, "RequireLowercase": false}},
        });
        let pool = made(&aws, "CreateUserPool", pool, "/UserPool/Id").await;
        let client = json!({
            "UserPoolId": pool,
            "ClientName": "web",
            "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            "PreventUserExistenceErrors": "ENABLED",
        });
        let client = made(
            &aws,
            "CreateUserPoolClient",
            client,
            "/UserPoolClient/ClientId",
        )
        .await;
        let config = Config {
            emulator: emulator.endpoint().to_owned(),
            user_pool_id: pool.clone(),
            user_pool_client_id: client.clone(),
            api_id: "none".into(),
            stage: "v1".into(),
            sign_in_logs: SIGN_INS.to_owned(),
        };
        let group = json!({"logGroupName": SIGN_INS});
        let made = aws.call("logs", "Logs_20140328.CreateLogGroup", &group);
        made.await.unwrap().ok().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let door = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(Gate::new(config).unwrap().serve(listener));
        let portal = Self {
            browser: Browser::at(&door, &pool, &client),
            aws,
            folder,
            _emulator: emulator,
        };
        portal.invite(ANN).await;
        portal
            .admin(
                "AdminSetUserPassword",
                json!({"Username": ANN, "Password": PASSWORD, "Permanent": true}),
            )
            .await;
        portal
    }

    /// Creates a user with the temporary password `PASSWORD`.
    async fn invite(&self, email: &str) {
        self.admin(
            "AdminCreateUser",
            json!({
                "Username": email, "TemporaryPassword": PASSWORD, "MessageAction": "SUPPRESS",
                "UserAttributes": [{"Name": "email_verified", "Value": "true"}],
            }),
        )
        .await;
    }

    async fn admin(&self, operation: &str, mut body: Value) -> Value {
        body["UserPoolId"] = json!(self.pool);
        self.aws
            .cognito(operation, &body)
            .await
            .unwrap()
            .ok()
            .unwrap()
    }

    /// What was mailed.
    async fn mails(&self) -> Vec<Value> {
        let asked = self.aws.plain(Method::GET, "/_ministack/ses/messages");
        let answer = asked.send().await.unwrap().bytes().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let boxes = answer["messages"].as_object().unwrap().values();
        boxes
            .flat_map(|one| one.as_array().unwrap().clone())
            .collect()
    }

    /// What was written down, in the order that it came.
    async fn events(&self) -> Vec<Value> {
        let asked =
            json!({"logGroupName": SIGN_INS, "logStreamName": "gate", "startFromHead": true});
        let answer = self.aws.call("logs", "Logs_20140328.GetLogEvents", &asked);
        let answer = answer.await.unwrap().ok().unwrap();
        let events = answer["events"].as_array().unwrap().iter();
        events
            .map(|event| serde_json::from_str(event["message"].as_str().unwrap()).unwrap())
            .collect()
    }
}

async fn made(aws: &Aws, operation: &str, body: Value, id: &str) -> String {
    let answer = aws.cognito(operation, &body).await.unwrap().ok().unwrap();
    answer.pointer(id).unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn there_are_no_tokens_before_an_authenticator_is_set_up() {
    let portal = Portal::up().await;
    let setup = portal.password(ANN, PASSWORD).await;
    assert_eq!(setup.text("/ChallengeName"), "MFA_SETUP");
    assert_eq!(
        setup.text("/ChallengeParameters/MFAS_CAN_SETUP"),
        "[\"SOFTWARE_TOKEN_MFA\"]"
    );
    assert!(!setup.has_tokens());

    let early = portal
        .respond("MFA_SETUP", &setup.session(), json!({"USERNAME": ANN}))
        .await;
    assert_eq!(early.refusal(), "NotAuthorizedException");
    let associated = portal
        .call(
            "AssociateSoftwareToken",
            json!({"Session": setup.session()}),
        )
        .await;
    let again = portal
        .call(
            "AssociateSoftwareToken",
            json!({"Session": setup.session()}),
        )
        .await;
    assert_eq!(
        again.refusal(),
        "NotAuthorizedException",
        "a session is used once"
    );
    let early = portal
        .respond("MFA_SETUP", &associated.session(), json!({"USERNAME": ANN}))
        .await;
    assert_eq!(early.refusal(), "NotAuthorizedException");

    let codes = Codes::of(&associated.text("/SecretCode")).await;
    let verify = |code: String| json!({"Session": associated.session(), "UserCode": code});
    let wrong = portal
        .call("VerifySoftwareToken", verify(codes.wrong()))
        .await;
    assert_eq!(wrong.refusal(), "EnableSoftwareTokenMFAException");
    let verified = portal
        .call("VerifySoftwareToken", verify(codes.current.clone()))
        .await;
    assert_eq!(verified.text("/Status"), "SUCCESS");
    let foreign = portal
        .respond(
            "MFA_SETUP",
            &verified.session(),
            json!({"USERNAME": "bob@example.com"}),
        )
        .await;
    assert_eq!(
        foreign.refusal(),
        "NotAuthorizedException",
        "a session is its user's"
    );
    let tokens = portal
        .respond("MFA_SETUP", &verified.session(), json!({"USERNAME": ANN}))
        .await;
    assert!(tokens.has_tokens());
    let replayed = portal
        .respond("MFA_SETUP", &verified.session(), json!({"USERNAME": ANN}))
        .await;
    assert_eq!(replayed.refusal(), "NotAuthorizedException");
}

#[tokio::test]
async fn a_code_is_asked_for_and_taken_once() {
    let portal = Portal::up().await;
    let (codes, _) = portal.enrol(ANN, PASSWORD).await;

    let forged = portal
        .code(
            ANN,
            "Zm9yZ2VkIHNlc3Npb24gdGhhdCBpcyBsb25nIGVub3VnaA==",
            &codes.current,
        )
        .await;
    assert_eq!(forged.refusal(), "NotAuthorizedException");

    let challenge = portal.password(ANN, PASSWORD).await;
    assert_eq!(challenge.text("/ChallengeName"), "SOFTWARE_TOKEN_MFA");
    let session = challenge.session();
    let used = portal.code(ANN, &session, &codes.earliest).await;
    assert_eq!(
        used.refusal(),
        "ExpiredCodeException",
        "the code of the setup is used up"
    );
    assert_eq!(
        portal.code(ANN, &session, &codes.wrong()).await.refusal(),
        "CodeMismatchException"
    );
    assert_eq!(
        portal.code(ANN, &session, "").await.refusal(),
        "CodeMismatchException"
    );
    assert!(
        portal
            .code(ANN, &session, &codes.current)
            .await
            .has_tokens()
    );
    assert_eq!(
        portal.code(ANN, &session, &codes.latest).await.refusal(),
        "NotAuthorizedException"
    );

    let session = portal.password(ANN, PASSWORD).await.session();
    let replayed = portal.code(ANN, &session, &codes.current).await;
    assert_eq!(replayed.refusal(), "ExpiredCodeException");
    let setup = portal
        .call("AssociateSoftwareToken", json!({"Session": session}))
        .await;
    assert_eq!(
        setup.refusal(),
        "NotAuthorizedException",
        "no second authenticator by the password alone"
    );
    assert!(portal.code(ANN, &session, &codes.latest).await.has_tokens());
}

#[tokio::test]
async fn five_failures_lock_out_and_unknown_users_look_the_same() {
    let portal = Portal::up().await;
    for email in [ANN, "nobody@example.com"] {
        let mut wrong = 0;
        // The first lockouts are short, and this machine may be slow.
        let locked = loop {
            let answer = portal.password(email, "not the password").await;
            assert_eq!(answer.refusal(), "NotAuthorizedException");
            if answer.text("/message") != "Incorrect username or password." {
                break answer;
            }
            wrong += 1;
        };
        assert_eq!(locked.text("/message"), "Password attempts exceeded");
        assert!((5..10).contains(&wrong), "{wrong} wrong passwords");
        if email == ANN {
            tokio::time::sleep(Duration::from_secs(1 << (wrong - 5))).await;
            let right = portal.password(ANN, PASSWORD).await;
            assert_eq!(right.text("/ChallengeName"), "MFA_SETUP");
        }
    }

    let srp = SrpClient::new(User::new(&portal.pool, "x", "y"), &portal.client, None);
    let known = portal.begin("Ann@Example.com", &srp).await;
    let unknown = portal.begin("nobody@example.com", &srp).await;
    let again = portal.begin("Nobody@Example.com", &srp).await;
    for field in ["SALT", "USERNAME", "USER_ID_FOR_SRP", "SECRET_BLOCK"] {
        let of = |answer: &Answer| answer.text(&format!("/ChallengeParameters/{field}"));
        assert_eq!(of(&known).len(), of(&unknown).len(), "{field}");
        assert!(!of(&unknown).contains('@'), "{field}");
        assert_eq!(
            of(&unknown) == of(&again),
            field != "SECRET_BLOCK",
            "{field}"
        );
    }
    // Anyone can derive a user's salt from their id, so an unknown user's must fit as well.
    for answer in [known, unknown] {
        let of = |field: &str| answer.text(&format!("/ChallengeParameters/{field}"));
        assert_eq!(of("SALT"), emulated_salt(&of("USERNAME")));
    }
}

fn emulated_salt(id: &str) -> String {
    let hash = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().to_vec();
    let mut salt = hash(format!("cognito-srp-salt:{id}").as_bytes());
    while salt[0] == 0 {
        salt = hash(&salt);
    }
    HEXLOWER.encode(&salt[..16])
}

#[tokio::test]
async fn attempts_made_at_once_are_not_all_judged() {
    let portal = Portal::up().await;
    let (codes, _) = portal.enrol(ANN, PASSWORD).await;
    let mut sessions = Vec::new();
    for _ in 0..14 {
        sessions.push(portal.password(ANN, PASSWORD).await.session());
    }
    let right = [&codes.earliest, &codes.current, &codes.latest];
    let wrong: Vec<String> = (0..20)
        .map(|n| format!("{n:06}"))
        .filter(|code| !right.contains(&code))
        .collect();
    let guesses = sessions
        .iter()
        .zip(&wrong)
        .map(|(session, code)| portal.code(ANN, session, code));
    let answers = join_all(guesses).await;
    let judged = answers
        .iter()
        .filter(|answer| answer.refusal() == "CodeMismatchException")
        .count();
    // The first lockouts are short, and this machine may be slow.
    assert!((5..10).contains(&judged), "{judged} codes were judged");

    let guesses = (0..14).map(|_| portal.password("nobody@example.com", "not the password"));
    let answers = join_all(guesses).await;
    let judged = answers
        .iter()
        .filter(|answer| answer.text("/message") == "Incorrect username or password.")
        .count();
    assert!((5..10).contains(&judged), "{judged} passwords were judged");
}

#[tokio::test]
async fn another_authenticator_is_written_down() {
    let portal = Portal::up().await;
    let (_, tokens) = portal.enrol(ANN, PASSWORD).await;
    let token = tokens.text("/AuthenticationResult/AccessToken");
    let forged = json!({"AccessToken": "e30.e30.e30"});
    let refused = portal.call("AssociateSoftwareToken", forged).await;
    assert_eq!(refused.refusal(), "NotAuthorizedException");
    let associated = portal
        .call("AssociateSoftwareToken", json!({"AccessToken": token}))
        .await;
    let codes = Codes::of(&associated.text("/SecretCode")).await;
    let verify = |code: &str| json!({"AccessToken": token, "UserCode": code});
    let wrong = portal
        .call("VerifySoftwareToken", verify(&codes.wrong()))
        .await;
    assert_eq!(wrong.refusal(), "EnableSoftwareTokenMFAException");
    let right = portal
        .call("VerifySoftwareToken", verify(&codes.current))
        .await;
    assert_eq!(right.text("/Status"), "SUCCESS");

    let user = portal.admin("AdminGetUser", json!({"Username": ANN})).await;
    let sub = user["Username"].as_str().unwrap();
    let written: Vec<Value> = portal
        .events()
        .await
        .iter()
        .map(|event| &event["message"])
        .filter(|message| message["eventType"] != "SignIn")
        .map(|message| {
            json!([
                message["eventType"],
                message["eventResponse"],
                message["userSub"]
            ])
        })
        .collect();
    assert_eq!(
        written,
        [
            json!(["AssociateSoftwareToken", "Fail", ""]),
            json!(["AssociateSoftwareToken", "InProgress", sub]),
            json!(["VerifySoftwareToken", "Fail", sub]),
            json!(["VerifySoftwareToken", "Pass", sub]),
        ]
    );
}

/// Sends a request as it is written, which a URL's parser would tidy up, and returns the answer.
async fn raw(address: &str, request: &str) -> String {
    let address = address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn no_path_leads_around_the_gate() {
    let portal = Portal::up().await;
    portal.enrol(ANN, PASSWORD).await;
    let body = json!({"ClientId": portal.client, "ChallengeName": "MFA_SETUP",
        "ChallengeResponses": {"USERNAME": ANN}})
    .to_string();
    let post = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\
             x-amz-target: AWSCognitoIdentityProviderService.RespondToAuthChallenge\r\n\
             content-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let emulator = raw(portal.aws.endpoint(), &post("/")).await;
    assert!(emulator.contains("AccessToken"), "the emulator lets it in");
    for up in ["..", "%2e%2e", ".%2E", "%2E."] {
        let path = format!("/v1/{up}/{up}/{up}/{up}/{up}/");
        let answer = raw(&portal.door, &post(&path)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
    for path in [
        "/v1/..%2f..%2F..%2f..%2f",
        "/v1/..%5c..%5C..%5c..%5c",
        "/v1/./",
        "/v1/x?X-Amz-Credential=test",
    ] {
        let answer = raw(&portal.door, &post(path)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
    let answer = raw(&portal.door, &post("/v1/%252e%252e/")).await;
    assert!(!answer.contains("AccessToken"), "{answer}");
}

#[tokio::test]
async fn the_emulator_answers_no_web_page_but_the_apps() {
    let portal = Portal::up().await;
    let saving = |path: &str, mode: &str, site: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nsec-fetch-mode: {mode}\r\n\
             sec-fetch-site: {site}\r\nconnection: close\r\n\r\n"
        )
    };
    for (path, mode, site, let_in) in [
        ("/a/b?X-Amz-Signature=0", "navigate", "same-site", true),
        ("/a/b?X-Amz-Signature=0", "navigate", "cross-site", false),
        ("/a/b?X-Amz-Signature=0", "cors", "same-site", false),
        ("/_ministack/health", "navigate", "same-site", false),
    ] {
        let request = saving(path, mode, site);
        let asked = raw(portal.aws.endpoint(), &request);
        let answer = timeout(Duration::from_secs(20), asked).await.unwrap();
        // What it lets in, S3 answers, in words of its own.
        let stopped = answer.starts_with("HTTP/1.1 403 ") && !answer.contains("<Error>");
        assert_eq!(!stopped, let_in, "{path} {mode} {site}: {answer}");
    }
    let get = |headers: &str| format!("GET /_ministack/health HTTP/1.1\r\n{headers}\r\n\r\n");
    let socket = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                  sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    for (headers, status) in [
        ("host: 127.0.0.1:1\r\nconnection: close", "200"),
        ("host: localhost\r\nconnection: close", "200"),
        (
            &format!("host: localhost\r\norigin: {APP}\r\nconnection: close"),
            "200",
        ),
        (
            "host: localhost\r\norigin: null\r\nconnection: close",
            "403",
        ),
        (
            "host: localhost\r\nsec-fetch-site: cross-site\r\nconnection: close",
            "403",
        ),
        ("host: evil.example:1\r\nconnection: close", "403"),
        ("host: x.s3.localhost\r\nconnection: close", "403"),
        (
            &format!("host: localhost\r\norigin: http://evil.example\r\n{socket}"),
            "403",
        ),
    ] {
        let request = get(headers);
        let asked = raw(portal.aws.endpoint(), &request);
        let answer = timeout(Duration::from_secs(20), asked).await.unwrap();
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "{headers}: {answer}");
    }
}

#[tokio::test]
async fn a_weak_new_password_is_refused_and_a_better_one_taken() {
    let portal = Portal::up().await;
    portal.invite("bob@example.com").await;
    let challenge = portal.password("bob@example.com", PASSWORD).await;
    assert_eq!(challenge.text("/ChallengeName"), "NEW_PASSWORD_REQUIRED");
    let session = challenge.session();
    let new = |password: &str| json!({"USERNAME": "bob@example.com", "NEW_PASSWORD": password});

    let forged = portal
        .respond(
            "NEW_PASSWORD_REQUIRED",
            "forged",
            new("another long password"),
        )
        .await;
    assert_eq!(forged.refusal(), "NotAuthorizedException");
    let weak = portal
        .respond("NEW_PASSWORD_REQUIRED", &session, new("weak"))
        .await;
    assert_eq!(weak.refusal(), "InvalidPasswordException");
    let taken = portal
        .respond(
            "NEW_PASSWORD_REQUIRED",
            &session,
            new("another long password"),
        )
        .await;
    assert_eq!(taken.text("/ChallengeName"), "MFA_SETUP");
    assert!(!taken.has_tokens());

    let old = portal.password("bob@example.com", PASSWORD).await;
    assert_eq!(old.refusal(), "NotAuthorizedException");
    let reset = portal
        .call(
            "ForgotPassword",
            json!({"ClientId": portal.client, "Username": ANN}),
        )
        .await;
    assert_eq!(reset.0, 200);
}

#[tokio::test]
async fn the_trigger_decides_before_tokens_are_let_out() {
    let portal = Portal::up().await;
    let seen = portal.folder.path().join("seen.json");
    let arn = trigger(&portal.aws, &seen).await;
    portal
        .admin(
            "UpdateUserPool",
            json!({"MfaConfiguration": "ON", "LambdaConfig": {"PostAuthentication": arn}}),
        )
        .await;

    let (codes, _) = portal.enrol(ANN, PASSWORD).await;
    let event: Value = serde_json::from_slice(&std::fs::read(&seen).unwrap()).unwrap();
    assert_eq!(event["triggerSource"], "PostAuthentication_Authentication");
    assert_eq!(event["userPoolId"], portal.pool);
    assert_eq!(event["callerContext"]["clientId"], portal.client);
    assert_eq!(event["request"]["userAttributes"]["email"], ANN);
    assert_eq!(event["request"]["userAttributes"]["sub"], event["userName"]);

    // The trigger fails when what it wrote before cannot be replaced.
    std::fs::remove_file(&seen).unwrap();
    std::fs::create_dir(&seen).unwrap();
    let session = portal.password(ANN, PASSWORD).await.session();
    let refused = portal.code(ANN, &session, &codes.current).await;
    assert_eq!(refused.refusal(), "UserLambdaValidationException");
    assert!(!refused.has_tokens());
}

#[tokio::test]
async fn no_tokens_are_made_when_their_claims_cannot_be() {
    let portal = Portal::up().await;
    let arn = trigger(&portal.aws, portal.folder.path()).await;
    let config = json!({"LambdaVersion": "V2_0", "LambdaArn": arn});
    portal
        .admin(
            "UpdateUserPool",
            json!({"MfaConfiguration": "ON", "LambdaConfig": {"PreTokenGenerationConfig": config}}),
        )
        .await;
    let refused = portal.password(ANN, PASSWORD).await;
    assert_eq!(refused.refusal(), "UserLambdaValidationException");
}

#[tokio::test]
async fn an_authenticator_set_up_for_a_sample_signs_in() {
    let portal = Portal::up().await;
    let secret = sample::set_up_authenticator(&portal.aws, &portal.client, ANN)
        .await
        .unwrap();
    let session = portal.password(ANN, PASSWORD).await.session();
    let code = totp::code(&secret).unwrap();
    assert!(portal.code(ANN, &session, &code).await.has_tokens());
}

#[tokio::test]
async fn an_address_is_verified_with_the_code_that_is_mailed_to_it() {
    let portal = Portal::up().await;
    let unverified = json!([{"Name": "email_verified", "Value": "false"}]);
    portal
        .admin(
            "AdminUpdateUserAttributes",
            json!({"Username": ANN, "UserAttributes": unverified}),
        )
        .await;
    let is_verified = async || {
        let user = portal.admin("AdminGetUser", json!({"Username": ANN})).await;
        let attributes = user["UserAttributes"].as_array().unwrap();
        attributes.contains(&json!({"Name": "email_verified", "Value": "true"}))
    };
    let (_, tokens) = portal.enrol(ANN, PASSWORD).await;
    let token = tokens.text("/AuthenticationResult/AccessToken");
    // A forgotten password does not come back by it.
    let forgot = json!({"ClientId": portal.client, "Username": ANN});
    assert_eq!(portal.call("ForgotPassword", forgot).await.0, 200);
    assert!(portal.mails().await.is_empty());

    let ask = |token: &str| json!({"AccessToken": token, "AttributeName": "email"});
    let verify = |code: &str| json!({"AccessToken": token, "AttributeName": "email", "Code": code});
    let refused = async |operation, body| portal.call(operation, body).await.refusal();

    let [send, take] = ["GetUserAttributeVerificationCode", "VerifyUserAttribute"];
    let forged = refused(send, ask("e30.e30.e30")).await;
    assert_eq!(forged, "NotAuthorizedException");
    assert_eq!(
        refused(take, verify("000000")).await,
        "ExpiredCodeException"
    );
    let other = json!({"AccessToken": token, "AttributeName": "custom:role"});
    assert_eq!(refused(send, other).await, "InvalidParameterException");

    let sent = portal.call(send, ask(&token)).await;
    assert_eq!(sent.text("/CodeDeliveryDetails/Destination"), "a****@e****");
    assert_eq!(sent.0, 200, "{sent:?}");
    let mails = portal.mails().await;
    let [mail] = mails.as_slice() else {
        panic!("{mails:?}")
    };
    assert_eq!(mail["To"], json!([ANN]));
    let digits = |c: char| !c.is_ascii_digit();
    let text = mail["BodyText"].as_str().unwrap();
    let code = text.split(digits).find(|part| part.len() == 6).unwrap();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(refused(take, verify(wrong)).await, "CodeMismatchException");
    assert!(!is_verified().await);
    assert_eq!(portal.call(take, verify(code)).await.0, 200);
    assert!(is_verified().await);
    assert_eq!(refused(take, verify(code)).await, "ExpiredCodeException");

    let ended = portal.events().await;
    let ended: Vec<_> = ended
        .iter()
        .map(|event| &event["message"])
        .filter(|one| one["eventType"] == take || one["eventType"] == send)
        .map(|one| one["eventResponse"].as_str().unwrap())
        .collect();
    assert_eq!(
        ended,
        ["Fail", "Fail", "Fail", "InProgress", "Fail", "Pass", "Fail"]
    );
}

#[tokio::test]
async fn what_is_not_signing_in_is_not_offered() {
    let portal = Portal::up().await;
    let sign_up =
        json!({"ClientId": portal.client, "Username": "eve@example.com", "Password": PASSWORD});
    assert_eq!(
        portal.call("SignUp", sign_up).await.refusal(),
        "NotAuthorizedException"
    );
    for operation in [
        "AdminCreateUser",
        "AdminGetUser",
        "ListUsers",
        "UpdateUserPool",
        "DescribeUserPool",
        "SetUserMFAPreference",
        "UpdateUserAttributes",
        "DeleteUser",
        "AdminInitiateAuth",
    ] {
        let body = json!({"UserPoolId": portal.pool, "Username": ANN});
        assert_eq!(
            portal.call(operation, body).await.refusal(),
            "NotAuthorizedException",
            "{operation}"
        );
    }
    for flow in [
        "USER_PASSWORD_AUTH",
        "ADMIN_USER_PASSWORD_AUTH",
        "CUSTOM_AUTH",
        "USER_AUTH",
    ] {
        let plain = json!({"ClientId": portal.client, "AuthFlow": flow,
            "AuthParameters": {"USERNAME": ANN, "PASSWORD": PASSWORD}});
        assert_eq!(
            portal.call("InitiateAuth", plain).await.refusal(),
            "InvalidParameterException",
            "{flow}"
        );
    }
    let other = json!({"ClientId": "other", "AuthFlow": "USER_SRP_AUTH", "AuthParameters": {"USERNAME": ANN}});
    assert_eq!(
        portal.call("InitiateAuth", other).await.refusal(),
        "ResourceNotFoundException"
    );

    let to = |path: &str| portal.http.post(format!("{}{path}", portal.door));
    let tables = to("/")
        .header("x-amz-target", "DynamoDB_20120810.ListTables")
        .body("{}");
    assert_eq!(tables.send().await.unwrap().status(), 404);
    assert_eq!(
        to("/portal-artefacts/x").send().await.unwrap().status(),
        404
    );
    let rebound = to("/cognito/").header("host", "evil.example").body("{}");
    assert_eq!(rebound.send().await.unwrap().status(), 421);
}

#[tokio::test]
async fn tokens_are_refreshed_until_they_are_revoked() {
    let portal = Portal::up().await;
    let (codes, tokens) = portal.enrol(ANN, PASSWORD).await;
    let refresh = |tokens: &Answer| {
        json!({
        "ClientId": portal.client, "RefreshToken": tokens.text("/AuthenticationResult/RefreshToken")})
    };
    let access = tokens.text("/AuthenticationResult/AccessToken");
    assert_eq!(
        portal
            .call("GetUser", json!({"AccessToken": access}))
            .await
            .0,
        200
    );
    assert!(
        portal
            .call("GetTokensFromRefreshToken", refresh(&tokens))
            .await
            .has_tokens()
    );
    assert_eq!(
        portal
            .call("GlobalSignOut", json!({"AccessToken": access}))
            .await
            .0,
        200
    );
    let after = portal
        .call("GetTokensFromRefreshToken", refresh(&tokens))
        .await;
    assert_eq!(after.refusal(), "NotAuthorizedException");

    let session = portal.password(ANN, PASSWORD).await.session();
    let tokens = portal.code(ANN, &session, &codes.current).await;
    let token = tokens.text("/AuthenticationResult/RefreshToken");
    assert_eq!(
        portal
            .call(
                "RevokeToken",
                json!({"ClientId": portal.client, "Token": token})
            )
            .await
            .0,
        200
    );
    let after = portal
        .call("GetTokensFromRefreshToken", refresh(&tokens))
        .await;
    assert_eq!(after.refusal(), "NotAuthorizedException");
}

#[tokio::test]
async fn every_attempt_is_written_down_without_its_secrets() {
    let portal = Portal::up().await;
    portal
        .password("my secret password typed as a name", "not the password")
        .await;
    portal.password(ANN, "not the password").await;
    let (codes, tokens) = portal.enrol(ANN, PASSWORD).await;
    let session = portal.password(ANN, PASSWORD).await.session();
    portal.code(ANN, &session, &codes.wrong()).await;
    portal.code(ANN, &session, &codes.current).await;

    let user = portal.admin("AdminGetUser", json!({"Username": ANN})).await;
    let sub = user["Username"].as_str().unwrap();
    let attempts: Vec<(String, String, String)> = portal
        .events()
        .await
        .iter()
        .map(|event| {
            let message = &event["message"];
            assert_eq!(message["eventType"], "SignIn");
            assert_eq!(message["ipAddress"], "127.0.0.1");
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (
                text(&message["eventResponse"]),
                message["challenges"].to_string(),
                text(&message["userSub"]),
            )
        })
        .collect();
    let attempt = |response: &str, challenges: &str, user: &str| {
        (response.into(), challenges.into(), user.into())
    };
    assert_eq!(
        attempts,
        [
            attempt("Fail", r#"["Password:Failure"]"#, ""),
            attempt("Fail", r#"["Password:Failure"]"#, sub),
            attempt("InProgress", r#"["Password:Success"]"#, sub),
            attempt("Pass", r#"["Password:Success","Mfa:Success"]"#, sub),
            attempt("InProgress", r#"["Password:Success"]"#, sub),
            attempt("Fail", r#"["Password:Success","Mfa:Failure"]"#, sub),
            attempt("Pass", r#"["Password:Success","Mfa:Success"]"#, sub),
        ]
    );
    let text = json!(portal.events().await).to_string();
    for secret in [
        PASSWORD,
        "secret password",
        ANN,
        &codes.current,
        &session,
        &tokens.text("/AuthenticationResult/AccessToken"),
    ] {
        assert!(!text.contains(secret), "{secret} is written down");
    }
}

/// A function that writes its event to a file.
async fn trigger(aws: &Aws, to: &std::path::Path) -> String {
    use base64::Engine;
    use std::io::Write;
    let role = aws
        .request("iam", Method::POST, "/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("Action=CreateRole&Version=2010-05-08&RoleName=trigger&AssumeRolePolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D")
        .send()
        .await
        .unwrap();
    assert!(role.status().is_success());
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("index.py", stored).unwrap();
    let code = b"import json, os\ndef handler(event, context):\n    with open(os.environ['SEEN'], 'w') as seen:\n        json.dump(event, seen)\n    return event\n";
    zip.write_all(code).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    let function = json!({
        "FunctionName": "trigger", "Runtime": "python3.12", "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/trigger",
        "Environment": {"Variables": {"SEEN": to}},
        "Code": {"ZipFile": base64::engine::general_purpose::STANDARD.encode(zip)},
    });
    let path = "/2015-03-31/functions";
    let made = aws
        .request("lambda", Method::POST, path)
        .body(function.to_string())
        .send()
        .await
        .unwrap();
    let made: Value = serde_json::from_slice(&made.bytes().await.unwrap()).unwrap();
    made["FunctionArn"]
        .as_str()
        .unwrap_or_else(|| panic!("{made}"))
        .to_owned()
}

#[tokio::test]
async fn a_forgotten_password_is_reset_but_lets_nobody_in() {
    let portal = Portal::up().await;
    portal.invite("bob@example.com").await;
    let of = |user: &str| json!({"ClientId": portal.client, "Username": user});
    let confirm_for = |user: &str, code: &str| {
        json!({"ClientId": portal.client, "Username": user, "ConfirmationCode": code,
            "Password": "a whole new passphrase"})
    };
    let never_asked = portal
        .call("ConfirmForgotPassword", confirm_for(ANN, "000000"))
        .await;
    let nobody = portal
        .call(
            "ConfirmForgotPassword",
            confirm_for("abe@example.com", "000000"),
        )
        .await;
    assert_eq!(never_asked, nobody);

    let known = portal.call("ForgotPassword", of("Ann@Example.com")).await;
    assert_eq!(known.0, 200);
    let destination = known.text("/CodeDeliveryDetails/Destination");
    assert_eq!(destination, "a****@e****");
    let unknown = portal.call("ForgotPassword", of("Abe@Example.com")).await;
    assert_eq!(known, unknown);
    let never_chosen = portal.call("ForgotPassword", of("Bob@example.com")).await;
    let unknown = portal.call("ForgotPassword", of("bab@Example.com")).await;
    assert_eq!(never_chosen, unknown);

    let confirm = |code: &str| confirm_for(ANN, code);
    for _ in 0..3 {
        let wrong = portal
            .call("ConfirmForgotPassword", confirm("000000"))
            .await;
        assert_eq!(wrong.refusal(), "CodeMismatchException");
    }
    // The emulator's mails all carry this code.
    let reset = portal
        .call("ConfirmForgotPassword", confirm("654321"))
        .await;
    assert_eq!(reset.0, 200, "{reset:?}");
    let next = portal.password(ANN, "a whole new passphrase").await;
    assert_eq!(next.text("/ChallengeName"), "MFA_SETUP");
}
