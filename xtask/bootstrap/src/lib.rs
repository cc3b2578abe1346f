//! Every function of the portal by its id. One binary that holds them all makes one link and one
//! upload of a local deployment; what is shipped to AWS is one binary per operation.

use shared::Fault;
use shared::aws::Aws;
use shared::serve::Service;

/// Makes an operation's service.
pub type Make = fn(&Aws) -> Result<Service, Fault>;

/// The operations' services, by id.
pub const SERVICES: [(&str, Make); 74] = [
    ("activate-account", activate_account::service),
    ("add-token-claims", add_token_claims::service),
    ("allow-break-glass", allow_break_glass::service),
    ("assign-thread", assign_thread::service),
    ("break-glass", break_glass::service),
    ("change-care-team", change_care_team::service),
    ("close-thread", close_thread::service),
    ("confirm-email-change", confirm_email_change::service),
    ("delete-document", delete_document::service),
    ("end-session", end_session::service),
    ("find-patient", find_patient::service),
    ("get-access-concern", get_access_concern::service),
    ("get-account", get_account::service),
    ("get-care-team", get_care_team::service),
    ("get-dashboard", get_dashboard::service),
    ("get-document", get_document::service),
    ("get-lab-result", get_lab_result::service),
    ("get-lab-trend", get_lab_trend::service),
    ("get-message-keys", get_message_keys::service),
    ("get-patient-summary", get_patient_summary::service),
    ("get-profile", get_profile::service),
    ("grant-proxy", grant_proxy::service),
    ("hold-lab-result", hold_lab_result::service),
    ("import-records", import_records::service),
    ("inspect-upload", inspect_upload::service),
    ("invite-user", invite_user::service),
    ("issue-activation", issue_activation::service),
    ("list-access-concerns", list_access_concerns::service),
    ("list-amendments", list_amendments::service),
    ("list-documents", list_documents::service),
    ("list-health-record", list_health_record::service),
    ("list-inbox", list_inbox::service),
    ("list-lab-holds", list_lab_holds::service),
    ("list-lab-results", list_lab_results::service),
    ("list-my-patients", list_my_patients::service),
    ("list-open-amendments", list_open_amendments::service),
    ("list-open-refills", list_open_refills::service),
    ("list-prescriptions", list_prescriptions::service),
    ("list-profile-changes", list_profile_changes::service),
    ("list-proxied-patients", list_proxied_patients::service),
    ("list-proxies", list_proxies::service),
    ("list-record-access", list_record_access::service),
    ("list-refill-requests", list_refill_requests::service),
    ("list-sessions", list_sessions::service),
    ("list-threads", list_threads::service),
    ("list-users", list_users::service),
    ("mark-thread-read", mark_thread_read::service),
    ("read-thread", read_thread::service),
    ("reconcile-accounts", reconcile_accounts::service),
    ("record-sign-in", record_sign_in::service),
    ("register-message-key", register_message_key::service),
    ("release-lab-result", release_lab_result::service),
    ("report-access-concern", report_access_concern::service),
    ("request-amendment", request_amendment::service),
    ("request-email-change", request_email_change::service),
    ("request-refill", request_refill::service),
    ("request-upload", request_upload::service),
    ("reset-user-mfa", reset_user_mfa::service),
    ("resolve-access-concern", resolve_access_concern::service),
    ("review-amendment", review_amendment::service),
    ("review-break-glass", review_break_glass::service),
    ("review-document", review_document::service),
    ("review-refill", review_refill::service),
    ("revoke-proxy", revoke_proxy::service),
    ("send-message", send_message::service),
    ("share-thread", share_thread::service),
    ("sign-out-everywhere", sign_out_everywhere::service),
    ("sign-out-user", sign_out_user::service),
    ("start-thread", start_thread::service),
    ("submit-disagreement", submit_disagreement::service),
    ("unlock-message-key", unlock_message_key::service),
    ("update-profile", update_profile::service),
    ("update-user", update_user::service),
    ("withdraw-refill", withdraw_refill::service),
];

/// The service of one operation.
pub fn service(id: &str) -> Option<Make> {
    SERVICES
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, make)| *make)
}
