//! What each operation is called towards the patient whose record it touched: plain words, for
//! everybody who reads at the level of a sixth grade. A test asks for an entry of every operation.

/// What somebody did, or tried to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    pub did: &'static str,
    pub tried: &'static str,
}

const fn words(did: &'static str, tried: &'static str) -> Option<Words> {
    Some(Words { did, tried })
}

/// An entry for every operation; none for those that are never about one patient's record.
#[rustfmt::skip]
pub const WORDS: &[(&str, Option<Words>)] = &[
    // Signing in
    ("activate-account", words("Set up the account for the portal", "Tried to set up the account for the portal")),
    ("get-account", None),
    ("sign-out-everywhere", None),
    ("list-sessions", None),
    ("end-session", None),
    ("request-email-change", None),
    ("confirm-email-change", None),
    // A patient's record
    ("get-dashboard", words("Opened the start page", "Tried to open the start page")),
    ("get-profile", words("Looked at the profile", "Tried to look at the profile")),
    ("update-profile", words("Changed the profile", "Tried to change the profile")),
    ("list-lab-results", words("Looked at the lab results", "Tried to look at the lab results")),
    // Laboratory results
    ("get-lab-result", words("Looked at one lab result", "Tried to look at one lab result")),
    ("get-lab-trend", words("Looked at how a lab value changed", "Tried to look at how a lab value changed")),
    ("hold-lab-result", words("Held a lab result back for a time", "Tried to hold a lab result back for a time")),
    ("release-lab-result", words("Released a lab result that was held", "Tried to release a lab result that was held")),
    ("list-lab-holds", None),
    // The health record
    ("list-health-record", words("Looked at the health record", "Tried to look at the health record")),
    // Prescriptions
    ("list-prescriptions", words("Looked at the prescriptions", "Tried to look at the prescriptions")),
    ("request-refill", words("Asked for a refill", "Tried to ask for a refill")),
    ("withdraw-refill", words("Took back a request for a refill", "Tried to take back a request for a refill")),
    ("list-refill-requests", words("Looked at the requests for refills", "Tried to look at the requests for refills")),
    ("list-open-refills", words("Read a request for a refill", "Tried to read a request for a refill")),
    ("review-refill", words("Answered a request for a refill", "Tried to answer a request for a refill")),
    // Amendments
    ("request-amendment", words("Asked to correct the record", "Tried to ask to correct the record")),
    ("list-amendments", words("Looked at the requests to correct the record", "Tried to look at the requests to correct the record")),
    ("list-open-amendments", words("Read a request to correct the record", "Tried to read a request to correct the record")),
    ("review-amendment", words("Answered a request to correct the record", "Tried to answer a request to correct the record")),
    ("submit-disagreement", words("Disagreed with an answer of the practice", "Tried to disagree with an answer of the practice")),
    // Documents
    ("request-upload", words("Began to hand in a document", "Tried to hand in a document")),
    ("inspect-upload", words("Checked a document that was handed in", "Tried to check a document that was handed in")),
    ("list-documents", words("Looked at the list of documents", "Tried to look at the list of documents")),
    ("get-document", words("Opened a document", "Tried to open a document")),
    ("delete-document", words("Deleted a document that was handed in", "Tried to delete a document that was handed in")),
    ("review-document", words("Marked a document as read", "Tried to mark a document as read")),
    // Export
    ("request-export", words("Asked for a copy of the record", "Tried to ask for a copy of the record")),
    ("build-export", words("Made a copy of the record", "Tried to make a copy of the record")),
    ("get-export", words("Got a copy of the record", "Tried to get a copy of the record")),
    // Record access
    ("list-record-access", words("Looked at this list", "Tried to look at this list")),
    ("report-access-concern", words("Reported an entry of this list", "Tried to report an entry of this list")),
    ("list-profile-changes", words("Looked at the changes of the profile", "Tried to look at the changes of the profile")),
    // The audit, read and watched
    ("account-disclosures", words("Looked at whom the practice passed something on to", "Tried to look at whom the practice passed something on to")),
    ("suspend-accounting", words("Put off telling whom something was passed on to, as the law asks", "Tried to put off telling whom something was passed on to")),
    ("search-audit", words("Looked up who used the record", "Tried to look up who used the record")),
    ("export-audit", words("Made a list of who used the record", "Tried to make a list of who used the record")),
    ("watch-access", None),
    // Messages
    ("register-message-key", None),
    ("unlock-message-key", None),
    ("get-message-keys", words("Got the keys to seal messages with", "Tried to get the keys to seal messages with")),
    ("start-thread", words("Began to write about something", "Tried to begin to write about something")),
    ("list-threads", words("Looked at the list of messages", "Tried to look at the list of messages")),
    ("list-inbox", None),
    ("read-thread", words("Read messages", "Tried to read messages")),
    ("send-message", words("Wrote a message", "Tried to write a message")),
    ("mark-thread-read", words("Marked messages as read", "Tried to mark messages as read")),
    ("hide-thread", words("Put messages out of sight, or back", "Tried to put messages out of sight, or back")),
    ("share-thread", words("Let somebody else read messages", "Tried to let somebody else read messages")),
    ("close-thread", words("Ended a talk by messages", "Tried to end a talk by messages")),
    ("assign-thread", words("Chose who answers messages", "Tried to choose who answers messages")),
    ("disclose-messages", words("Began to pass messages on to somebody", "Tried to pass messages on to somebody")),
    // Real time
    ("open-channel", None),
    ("connect-channel", None),
    ("disconnect-channel", None),
    ("list-events", None),
    ("deliver-events", None),
    ("send-notices", words("Saw to a notice of a new message", "Tried to see to a notice of a new message")),
    // Proxies
    ("grant-proxy", words("Let somebody act for the patient", "Tried to let somebody act for the patient")),
    ("list-proxies", words("Looked at who acts for the patient", "Tried to look at who acts for the patient")),
    ("revoke-proxy", words("Ended somebody's right to act for the patient", "Tried to end somebody's right to act for the patient")),
    ("list-proxied-patients", None),
    // Care
    ("list-my-patients", None),
    ("find-patient", None),
    ("get-patient-summary", words("Looked at the summary for the care team", "Tried to look at the summary for the care team")),
    ("get-care-team", words("Looked at the care team", "Tried to look at the care team")),
    ("change-care-team", words("Changed the care team", "Tried to change the care team")),
    // Appointments
    ("get-availability", None),
    ("set-availability", None),
    ("list-providers", None),
    ("list-open-slots", None),
    ("hold-slot", words("Kept a time for an appointment", "Tried to keep a time for an appointment")),
    ("book-appointment", words("Made an appointment", "Tried to make an appointment")),
    ("list-appointments", words("Looked at the appointments", "Tried to look at the appointments")),
    ("get-appointment", words("Looked at one appointment", "Tried to look at one appointment")),
    ("reschedule-appointment", words("Moved an appointment", "Tried to move an appointment")),
    ("cancel-appointment", words("Cancelled an appointment", "Tried to cancel an appointment")),
    ("confirm-appointment", words("Confirmed an appointment", "Tried to confirm an appointment")),
    ("complete-appointment", words("Wrote down what came of a visit", "Tried to write down what came of a visit")),
    ("mark-no-show", words("Noted that nobody came to an appointment", "Tried to note that nobody came to an appointment")),
    ("list-schedule", words("Read who has an appointment", "Tried to read who has an appointment")),
    ("join-waitlist", words("Joined the waitlist for an appointment", "Tried to join the waitlist for an appointment")),
    ("list-waitlist", words("Looked at the places on the waitlist", "Tried to look at the places on the waitlist")),
    ("leave-waitlist", words("Left the waitlist for an appointment", "Tried to leave the waitlist for an appointment")),
    ("list-waiting-patients", words("Read who waits for an appointment", "Tried to read who waits for an appointment")),
    ("offer-openings", words("Offered a time for an appointment", "Tried to offer a time for an appointment")),
    ("get-calendar", words("Saved an appointment for a calendar", "Tried to save an appointment for a calendar")),
    ("open-calendar", words("Let a calendar follow the appointments", "Tried to let a calendar follow the appointments")),
    ("revoke-calendar", words("Ended a calendar that followed the appointments", "Tried to end a calendar that followed the appointments")),
    ("read-calendar", words("A calendar looked at the appointments", "A calendar tried to look at the appointments")),
    ("send-reminders", words("Saw to a reminder of an appointment", "Tried to see to a reminder of an appointment")),
    // Emergencies
    ("break-glass", words("Opened the record in an emergency", "Tried to open the record in an emergency")),
    ("list-access-concerns", None),
    ("get-access-concern", words("Looked into a question about this list", "Tried to look into a question about this list")),
    ("review-break-glass", words("Checked whether an emergency access was needed", "Tried to check an emergency access")),
    ("allow-break-glass", words("Let somebody open records in an emergency again", "Tried to let somebody open records in an emergency again")),
    ("resolve-access-concern", words("Answered a report about this list", "Tried to answer a report about this list")),
    // Administration
    ("invite-user", None),
    ("issue-activation", words("Made a code to set up the account", "Tried to make a code to set up the account")),
    ("list-users", None),
    ("update-user", None),
    ("sign-out-user", None),
    ("reset-user-mfa", None),
    ("reconcile-accounts", None),
    // The audit's archive
    ("archive-audit", None),
    ("seal-audit", None),
    ("verify-audit", None),
    // What AWS invokes
    ("import-records", words("Brought the record up to date", "Tried to bring the record up to date")),
    ("add-token-claims", None),
    ("record-sign-in", None),
    ("record-auth-events", None),
];

/// The words for an operation. What the log holds of an operation that is no more is told as well.
pub fn of(operation: &str) -> Words {
    const FORMER: Words = Words {
        did: "Used the record",
        tried: "Tried to use the record",
    };
    let known = WORDS.iter().find(|(known, _)| *known == operation);
    known.and_then(|(_, words)| *words).unwrap_or(FORMER)
}
