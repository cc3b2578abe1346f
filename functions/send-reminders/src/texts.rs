//! Text messages to phones. Like mail, whoever carries one can read it, so it says nothing of a patient.

use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use shared::Fault;
use shared::aws::{Aws, Resource, fault};

/// Sends text messages, each in one try: nothing that may have arrived is sent again.
pub(crate) struct Texts {
    client: Client,
    sender: String,
}

impl Texts {
    pub(crate) fn new(aws: &Aws) -> Result<Self, Fault> {
        let config = aws_sdk_sns::config::Builder::from(aws.config());
        let config = config.retry_config(RetryConfig::disabled()).build();
        Ok(Self {
            client: Client::from_conf(config),
            sender: aws.name(Resource::TextSender)?,
        })
    }

    /// Hands a text over to be delivered to a number, E.164.
    pub(crate) async fn send_once(&self, number: &str, text: &str) -> Result<(), Fault> {
        self.client
            .publish()
            .phone_number(number)
            .message(text)
            .message_attributes("AWS.MM.SMS.OriginationNumber", string(&self.sender)?)
            .message_attributes("AWS.SNS.SMS.SMSType", string("Transactional")?)
            .send()
            .await
            .map_err(|error| fault("SNS", &error))?;
        Ok(())
    }
}

fn string(value: &str) -> Result<MessageAttributeValue, Fault> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .map_err(|_| Fault::Defect("an attribute of a message"))
}

/// A number as SNS takes it: `+1 617 555 0123` as `+16175550123`.
pub(crate) fn e164(number: &str) -> String {
    let digits = number.chars().filter(char::is_ascii_digit);
    std::iter::once('+').chain(digits).collect()
}
