//! Reminders of appointments.

use super::{Spec, Trigger};
use crate::aws::Capability::{
    FindAccounts, KeepReminders, ReadAccounts, ReadAppointments, ReadDueAppointments, ReadPatients,
    SendMail, SendTexts, UnwrapDataKeys, WriteAudit,
};

/// Reminds patients of what is due.
pub const SEND_REMINDERS: Spec = Spec {
    id: "send-reminders",
    trigger: Trigger::Event,
    action: "SendReminders",
    audit: "reminder.send",
    needs: &[
        ReadAccounts,
        ReadPatients,
        FindAccounts,
        ReadAppointments,
        ReadDueAppointments,
        KeepReminders,
        UnwrapDataKeys,
        SendMail,
        SendTexts,
        WriteAudit,
    ],
};
