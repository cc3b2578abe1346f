//! Mail of the portal's: short texts without PHI, from the one address that the practice chose.
//!
//! What mail servers on the way can read must not say anything of a patient, not even a name: a code, or
//! that there is something to see after signing in.

use crate::Fault;
use crate::aws::{Aws, Resource, fault};
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};

/// Sends mail.
#[derive(Clone)]
pub struct Mailer {
    client: Client,
    sender: String,
}

impl Mailer {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.ses().clone(),
            sender: aws.name(Resource::MailSender)?,
        })
    }

    /// Hands a plain text over to be delivered.
    pub async fn send(&self, to: &str, subject: &str, text: &str) -> Result<(), Fault> {
        let mail = self.mail(to, subject, text)?.send().await;
        mail.map_err(|error| fault("SES", &error))?;
        Ok(())
    }

    /// The same in one try: nothing that may have arrived is sent again.
    pub async fn send_once(&self, to: &str, subject: &str, text: &str) -> Result<(), Fault> {
        let once = aws_sdk_sesv2::config::Builder::new().retry_config(RetryConfig::disabled());
        let mail = self.mail(to, subject, text)?.customize();
        let mail = mail.config_override(once).send().await;
        mail.map_err(|error| fault("SES", &error))?;
        Ok(())
    }

    fn mail(&self, to: &str, subject: &str, text: &str) -> Result<SendEmailFluentBuilder, Fault> {
        let content = message(subject, text).map_err(|_| Fault::Defect("a mail"))?;
        Ok(self
            .client
            .send_email()
            .from_email_address(&self.sender)
            .destination(Destination::builder().to_addresses(to).build())
            .content(EmailContent::builder().simple(content).build()))
    }
}

fn message(subject: &str, text: &str) -> Result<Message, BuildError> {
    let content = |text| Content::builder().data(text).charset("UTF-8").build();
    let body = Body::builder().text(content(text)?).build();
    Ok(Message::builder()
        .subject(content(subject)?)
        .body(body)
        .build())
}
