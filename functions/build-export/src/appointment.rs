//! Appointments as FHIR R4 has them (<https://hl7.org/fhir/R4/appointment.html>). They were made in the
//! portal, so there is no resource that somebody sent.

use serde::Serialize;
use shared::Fault;
use shared::api::appointments::{AppointmentDetail, CancelReason, Status};
use shared::ids::AppointmentId;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    resource_type: &'static str,
    id: AppointmentId,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelation_reason: Option<Concept<'a>>,
    /// How patient and provider meet.
    service_category: [Concept<'a>; 1],
    service_type: [Concept<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<[Concept<'a>; 1]>,
    start: String,
    end: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// The after-visit summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
    participant: Vec<Participant<'a>>,
}

#[derive(Serialize)]
struct Concept<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Participant<'a> {
    actor: Actor<'a>,
    status: &'static str,
}

#[derive(Serialize)]
struct Actor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'a str>,
}

/// <https://hl7.org/fhir/R4/valueset-appointmentstatus.html>
const fn status(status: Status) -> &'static str {
    match status {
        Status::Scheduled | Status::Confirmed => "booked",
        Status::Completed => "fulfilled",
        Status::Cancelled => "cancelled",
        Status::NoShow => "noshow",
    }
}

/// The resource of an appointment of the patient who stands at this place.
pub(crate) fn resource(detail: &AppointmentDetail, patient_url: &str) -> Result<String, Fault> {
    let appointment = &detail.appointment;
    let mut steps = detail.transitions.iter();
    let created = steps.next().map(|step| step.at.to_string());
    let cancelled = detail.transitions.iter().rev().find_map(|step| step.reason);
    // FHIR asks of each whether they come.
    let (patient, provider) = match appointment.status {
        Status::Scheduled => ("accepted", "needs-action"),
        Status::Cancelled => ("declined", "declined"),
        Status::Confirmed | Status::Completed | Status::NoShow => ("accepted", "accepted"),
    };
    let mut participant = vec![
        Participant {
            actor: Actor {
                reference: Some(patient_url.to_owned()),
                display: None,
            },
            status: patient,
        },
        Participant {
            actor: Actor {
                reference: Some(format!("Practitioner/{}", appointment.practitioner)),
                display: appointment.practitioner_name.as_deref(),
            },
            status: provider,
        },
    ];
    participant.extend(appointment.location.as_deref().map(|place| Participant {
        actor: Actor {
            reference: None,
            display: Some(place),
        },
        status: provider,
    }));
    let resource = Resource {
        resource_type: "Appointment",
        id: appointment.id,
        status: status(appointment.status),
        cancelation_reason: cancelled.map(CancelReason::as_str).map(concept),
        service_category: [concept(appointment.modality.as_str())],
        service_type: [concept(&appointment.type_name)],
        reason_code: appointment
            .reason
            .as_deref()
            .map(|reason| [concept(reason)]),
        start: appointment.start.to_string(),
        end: appointment.end.to_string(),
        created,
        comment: detail.summary.as_deref(),
        participant,
    };
    serde_json::to_string(&resource).map_err(|_| Fault::Defect("an Appointment as JSON"))
}

const fn concept(text: &str) -> Concept<'_> {
    Concept { text }
}
