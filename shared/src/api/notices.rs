//! Notices outside the app: a mail that there is a new message, and nothing of it.

use super::{Spec, Trigger};
use crate::aws::Capability::{
    DescribeUsers, KeepNotices, ReadAccounts, ReadPatients, SendMail, UnwrapDataKeys, WriteAudit,
};

/// Sends the notices that are due.
pub const SEND_NOTICES: Spec = Spec {
    id: "send-notices",
    trigger: Trigger::Event,
    action: "SendNotices",
    audit: "notice.send",
    needs: &[
        ReadAccounts,
        ReadPatients,
        UnwrapDataKeys,
        KeepNotices,
        DescribeUsers,
        SendMail,
        WriteAudit,
    ],
};
