//! Every function of the portal by its id. One binary that holds them all makes one link and one
//! upload of a local deployment; what is shipped to AWS is one binary per operation.

use shared::Fault;
use shared::aws::Aws;
use shared::serve::Service;

/// Makes an operation's service.
pub type Make = fn(&Aws) -> Result<Service, Fault>;

/// The operations' services, by id.
pub const SERVICES: [(&str, Make); 16] = [
    ("activate-account", activate_account::service),
    ("add-token-claims", add_token_claims::service),
    ("end-session", end_session::service),
    ("get-account", get_account::service),
    ("get-dashboard", get_dashboard::service),
    ("get-profile", get_profile::service),
    ("grant-proxy", grant_proxy::service),
    ("import-records", import_records::service),
    ("list-lab-results", list_lab_results::service),
    ("list-proxied-patients", list_proxied_patients::service),
    ("list-proxies", list_proxies::service),
    ("list-sessions", list_sessions::service),
    ("record-sign-in", record_sign_in::service),
    ("revoke-proxy", revoke_proxy::service),
    ("sign-out-everywhere", sign_out_everywhere::service),
    ("update-profile", update_profile::service),
];

/// The service of one operation.
pub fn service(id: &str) -> Option<Make> {
    SERVICES
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, make)| *make)
}
