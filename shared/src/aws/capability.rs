//! What a function may do in AWS: each capability is a statement of a managed policy, its Sid.
//!
//! The template test holds these lists against the policies, both ways, and the integration tests
//! hold them against the calls that an operation really makes.

/// A thing a function may do. Its name in kebab case is the managed policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    ReadAccounts,
    /// Count what an account asks for in a window of time.
    CountRequests,
    /// Make an account, and count at the code that it is made with.
    ActivateAccounts,
    /// Note when somebody signed in or out.
    NoteSessions,
    /// Keep an account's sessions, and end one.
    KeepSessions,
    /// Keep a change of an address that waits for its codes.
    KeepEmailChanges,
    /// Forget one that cannot be carried out.
    ForgetEmailChanges,
    /// Find a calendar by its address.
    ReadCalendars,
    /// Open a calendar at a secret address, and end it.
    KeepCalendars,
    /// Keep somebody from breaking the glass for a while.
    BarFromBreakingGlass,
    /// Make the row of an account that did not exist.
    CreateAccounts,
    /// Change what an account is: role, practitioner, status.
    ManageAccounts,
    /// Count who administers the portal.
    KeepAdministrators,
    /// Let a grant wait for a second administrator.
    KeepApprovals,
    /// Keep which account is a practitioner's.
    KeepPractitioners,
    /// Give a patient a code to make an account with.
    IssueActivations,
    /// Note how far the comparison with the user pool came.
    NoteReconciliation,
    ReadPatients,
    /// Find a patient by their medical record number.
    FindPatients,
    /// Who has a medical record number, or a birth date and family name.
    SearchPatients,
    WritePatients,
    /// Change a patient's contact details.
    WriteContact,
    /// Put somebody on a care team, or say until when they are on it.
    WriteCareTeam,
    /// Read who is on whose care team, by practitioner.
    ReadPanels,
    /// Let patients be found by name and birth date.
    WriteFindIndex,
    /// Give a patient their one account.
    LinkAccounts,
    /// Find a patient's one account.
    FindAccounts,
    /// Let somebody act for a patient.
    GrantProxies,
    RevokeProxies,
    RemoveFromCareTeams,
    /// Begin an emergency access, and raise the concern over it.
    BreakGlass,
    /// End an emergency access before its time.
    EndBreakGlass,
    /// Report an access to the privacy officer.
    ReportConcerns,
    /// Note to whom a patient's messages are passed on, and open them for it.
    RecordDisclosures,
    /// Leave disclosures out of a patient's accounting for a time.
    SuspendAccountings,
    /// Keep a result from the patient for a time, or no longer.
    HoldResults,
    /// Read what is held, whoever's it is.
    ReadHolds,
    ReadConcerns,
    /// Move a concern from the open ones to the resolved ones.
    CloseConcerns,
    /// Read the practice's work list of refill requests.
    ReadOpenRefills,
    /// Write a refill request, or a step of one.
    RaiseRefills,
    /// Take a refill request off the work list.
    CloseRefills,
    /// Read the practice's work list of amendment requests.
    ReadOpenAmendments,
    /// Write an amendment request, or a step of one.
    RaiseAmendments,
    /// Take an amendment request off the work list.
    CloseAmendments,
    /// Count how many of a patient's amendment requests have no answer.
    CountAmendments,
    /// Let the patient know what came of a concern.
    NoteOutcomes,
    ReadRecords,
    WriteRecords,
    ReadDocuments,
    /// Let a patient announce a file, and count them.
    AnnounceUploads,
    /// Say what an inspection found.
    SettleUploads,
    DeleteUploads,
    /// Note that a provider has looked at a document.
    ReviewDocuments,
    /// Let a file into quarantine.
    AttachUploads,
    /// Read what is in quarantine, and remove it.
    TakeUploads,
    StoreDocuments,
    FetchDocuments,
    DiscardDocuments,
    /// Put files under the key of the buckets.
    EncryptFiles,
    /// Note that somebody asks for a copy of a record, and see what was asked for before.
    RequestExports,
    ReadExports,
    /// Note how far the making of a copy came.
    KeepExports,
    ReadDirectory,
    WriteDirectory,
    /// Read when providers can be booked, and what is taken of it; no appointment.
    ReadAvailability,
    SetAvailability,
    ReadAppointments,
    /// Read which appointments a provider has.
    ReadSchedules,
    /// Keep a time for a patient for some minutes.
    HoldSlots,
    /// Make, move and cancel appointments, and take and free the time for them.
    BookAppointments,
    /// Say how an appointment goes on; its time stays.
    UpdateAppointments,
    /// Let a provider look after an appointment with a patient.
    RelateAppointments,
    /// Read who waits for an appointment, whoever it is.
    ReadWaitlist,
    /// Take a place on the waitlist, or give one up.
    KeepWaitlist,
    /// Keep a time for whoever is next in turn.
    OfferOpenings,
    /// Read which appointments there are on a day, whoever's.
    ReadDueAppointments,
    /// Note who was reminded of which appointment.
    KeepReminders,
    /// Give out tickets for connections.
    IssueTickets,
    /// Let whoever has a ticket connect.
    OpenChannels,
    CloseChannels,
    /// Read what an account was told.
    ReadEvents,
    /// Write what an account is told, and see over which connections.
    DeliverEvents,
    /// Tell something over a connection, or end it.
    PostToChannels,
    /// Take the notices that are due.
    KeepNotices,
    ReadMessages,
    WriteMessages,
    /// Read which threads wait with the practice.
    ReadInbox,
    /// Read public keys of messages, and which account is a patient's.
    ReadMessageKeys,
    WriteMessageKeys,
    /// Read private keys of messages as they are sealed, and who may unlock the practice's to disclose.
    ReadPrivateKeys,
    /// Let a privacy officer unlock the practice's key, to disclose something.
    AdmitToPracticeKey,
    SealPrivateKeys,
    OpenPrivateKeys,
    WriteAudit,
    /// Read who looked at one patient's record.
    ReadRecordAccess,
    // The audit's archive
    /// Note how far the chains of audit records have come, and which events are in them.
    KeepChain,
    /// Read how far the chains have come.
    ReadChain,
    /// Note which checkpoint was the last.
    KeepCheckpoints,
    /// Note up to which checkpoint everything was verified.
    KeepVerification,
    /// Continue the chains in the archive.
    ArchiveRecords,
    /// Add a checkpoint to the archive.
    SealArchive,
    ReadArchive,
    /// See what is in the archive.
    ListArchive,
    /// Write audit records to their log group, and see whether they are there already.
    WriteAuditLog,
    ReadAuditLog,
    SignCheckpoints,
    /// Read the public half of the key that checkpoints are signed with.
    ReadSigningKey,
    /// Compare audit records with what was archived, by their keys.
    CompareAudit,
    /// Count what is unusual in the audit log.
    CountAccesses,
    /// Tell whoever hears of alarms.
    RaiseAlarms,
    /// Read who used any patient's record, and what was done without an account.
    SearchAuditLog,
    /// Read what an account did.
    ReadActivity,
    UnwrapDataKeys,
    CreateDataKeys,
    ComputeIndex,
    ActivateUsers,
    /// Make a user whom Cognito sends a password by email.
    InviteUsers,
    SignOutUsers,
    ListUsers,
    /// See whether a user has a second factor.
    DescribeUsers,
    /// Keep a user in the group of their role, enabled or disabled.
    AlignUsers,
    ResetSecondFactors,
    /// Give a user another address, or note which one they ask for, beside the one that they have.
    ChangeAddresses,
    RemoveUsers,
    /// Read when and from where a user signed in.
    ReadSignIns,
    /// Send mail in the portal's name.
    SendMail,
    /// Send text messages to phones.
    SendTexts,
    ReadImports,
    WriteImportReports,
    /// Have a copy of a record made.
    BeginExports,
    WriteExports,
    DownloadExports,
}

/// What a capability's actions reach. The name of the environment variable that tells a function
/// which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    AccountsTable,
    PatientsTable,
    RecordsTable,
    DocumentsTable,
    DirectoryTable,
    ScheduleTable,
    MessagesTable,
    ChannelsTable,
    AuditTable,
    /// How far the chains of audit records have come.
    ChainTable,
    /// What the watch over the audit log has counted.
    WatchTable,
    /// Where alarms go that concern privacy.
    AlarmTopic,
    /// The bucket that audit records are locked in.
    AuditArchive,
    AuditLogGroup,
    /// What checkpoints of the audit's archive are signed with.
    SigningKey,
    MessageKey,
    PhiKey,
    IndexKey,
    /// What tables and buckets are encrypted with at rest.
    DataKey,
    UserPool,
    /// The WebSocket API.
    ChannelApi,
    /// The address that mails come from.
    MailSender,
    /// The number that text messages come from.
    TextSender,
    ImportBucket,
    /// What came in and was not inspected yet.
    QuarantineBucket,
    DocumentsBucket,
    ExportsBucket,
}

impl Resource {
    pub const fn env(self) -> &'static str {
        match self {
            Self::AccountsTable => "ACCOUNTS_TABLE",
            Self::PatientsTable => "PATIENTS_TABLE",
            Self::RecordsTable => "RECORDS_TABLE",
            Self::DocumentsTable => "DOCUMENTS_TABLE",
            Self::DirectoryTable => "DIRECTORY_TABLE",
            Self::ScheduleTable => "SCHEDULE_TABLE",
            Self::MessagesTable => "MESSAGES_TABLE",
            Self::ChannelsTable => "CHANNELS_TABLE",
            Self::ChannelApi => "CHANNEL_API_ID",
            Self::MessageKey => "MESSAGE_KEY_ID",
            Self::AuditTable => "AUDIT_TABLE",
            Self::ChainTable => "CHAIN_TABLE",
            Self::WatchTable => "WATCH_TABLE",
            Self::AlarmTopic => "ALARM_TOPIC",
            Self::AuditArchive => "AUDIT_ARCHIVE",
            Self::AuditLogGroup => "AUDIT_LOG_GROUP",
            Self::SigningKey => "SIGNING_KEY_ID",
            Self::PhiKey => "PHI_KEY_ID",
            Self::IndexKey => "INDEX_KEY_ID",
            Self::UserPool => "USER_POOL_ID",
            Self::MailSender => "MAIL_SENDER",
            Self::TextSender => "TEXT_SENDER",
            Self::DataKey => "DATA_KEY_ARN",
            Self::ImportBucket => "IMPORT_BUCKET",
            Self::QuarantineBucket => "QUARANTINE_BUCKET",
            Self::DocumentsBucket => "DOCUMENTS_BUCKET",
            Self::ExportsBucket => "EXPORTS_BUCKET",
        }
    }
}

impl Capability {
    pub const ALL: [Self; 133] = [
        Self::ReadAccounts,
        Self::CountRequests,
        Self::ActivateAccounts,
        Self::NoteSessions,
        Self::KeepSessions,
        Self::KeepEmailChanges,
        Self::ForgetEmailChanges,
        Self::ReadCalendars,
        Self::KeepCalendars,
        Self::BarFromBreakingGlass,
        Self::CreateAccounts,
        Self::ManageAccounts,
        Self::KeepAdministrators,
        Self::KeepApprovals,
        Self::KeepPractitioners,
        Self::IssueActivations,
        Self::NoteReconciliation,
        Self::ReadPatients,
        Self::FindPatients,
        Self::SearchPatients,
        Self::WritePatients,
        Self::WriteContact,
        Self::WriteCareTeam,
        Self::ReadPanels,
        Self::WriteFindIndex,
        Self::LinkAccounts,
        Self::FindAccounts,
        Self::GrantProxies,
        Self::RevokeProxies,
        Self::RemoveFromCareTeams,
        Self::BreakGlass,
        Self::EndBreakGlass,
        Self::ReportConcerns,
        Self::RecordDisclosures,
        Self::SuspendAccountings,
        Self::HoldResults,
        Self::ReadHolds,
        Self::ReadConcerns,
        Self::CloseConcerns,
        Self::ReadOpenRefills,
        Self::RaiseRefills,
        Self::CloseRefills,
        Self::ReadOpenAmendments,
        Self::RaiseAmendments,
        Self::CloseAmendments,
        Self::CountAmendments,
        Self::NoteOutcomes,
        Self::ReadRecords,
        Self::WriteRecords,
        Self::ReadDocuments,
        Self::AnnounceUploads,
        Self::SettleUploads,
        Self::DeleteUploads,
        Self::ReviewDocuments,
        Self::AttachUploads,
        Self::TakeUploads,
        Self::StoreDocuments,
        Self::FetchDocuments,
        Self::DiscardDocuments,
        Self::EncryptFiles,
        Self::RequestExports,
        Self::ReadExports,
        Self::KeepExports,
        Self::ReadDirectory,
        Self::WriteDirectory,
        Self::ReadAvailability,
        Self::SetAvailability,
        Self::ReadAppointments,
        Self::ReadSchedules,
        Self::HoldSlots,
        Self::BookAppointments,
        Self::UpdateAppointments,
        Self::RelateAppointments,
        Self::ReadWaitlist,
        Self::KeepWaitlist,
        Self::OfferOpenings,
        Self::ReadDueAppointments,
        Self::KeepReminders,
        Self::IssueTickets,
        Self::OpenChannels,
        Self::CloseChannels,
        Self::ReadEvents,
        Self::DeliverEvents,
        Self::PostToChannels,
        Self::KeepNotices,
        Self::ReadMessages,
        Self::WriteMessages,
        Self::ReadInbox,
        Self::ReadMessageKeys,
        Self::WriteMessageKeys,
        Self::ReadPrivateKeys,
        Self::AdmitToPracticeKey,
        Self::SealPrivateKeys,
        Self::OpenPrivateKeys,
        Self::WriteAudit,
        Self::ReadRecordAccess,
        Self::KeepChain,
        Self::ReadChain,
        Self::KeepCheckpoints,
        Self::KeepVerification,
        Self::ArchiveRecords,
        Self::SealArchive,
        Self::ReadArchive,
        Self::ListArchive,
        Self::WriteAuditLog,
        Self::ReadAuditLog,
        Self::SignCheckpoints,
        Self::ReadSigningKey,
        Self::CompareAudit,
        Self::CountAccesses,
        Self::RaiseAlarms,
        Self::SearchAuditLog,
        Self::ReadActivity,
        Self::UnwrapDataKeys,
        Self::CreateDataKeys,
        Self::ComputeIndex,
        Self::ActivateUsers,
        Self::InviteUsers,
        Self::SignOutUsers,
        Self::ListUsers,
        Self::DescribeUsers,
        Self::AlignUsers,
        Self::ResetSecondFactors,
        Self::ChangeAddresses,
        Self::RemoveUsers,
        Self::ReadSignIns,
        Self::SendMail,
        Self::SendTexts,
        Self::ReadImports,
        Self::WriteImportReports,
        Self::BeginExports,
        Self::WriteExports,
        Self::DownloadExports,
    ];

    pub const fn resource(self) -> Resource {
        match self {
            Self::ReadAccounts
            | Self::CountRequests
            | Self::ActivateAccounts
            | Self::NoteSessions
            | Self::CreateAccounts
            | Self::ManageAccounts
            | Self::KeepAdministrators
            | Self::KeepApprovals
            | Self::KeepPractitioners
            | Self::IssueActivations
            | Self::NoteReconciliation
            | Self::KeepEmailChanges
            | Self::ForgetEmailChanges
            | Self::ReadCalendars
            | Self::KeepCalendars
            | Self::BarFromBreakingGlass
            | Self::KeepSessions => Resource::AccountsTable,
            Self::ReadPatients
            | Self::FindPatients
            | Self::SearchPatients
            | Self::WritePatients
            | Self::WriteContact
            | Self::WriteCareTeam
            | Self::ReadPanels
            | Self::WriteFindIndex
            | Self::LinkAccounts
            | Self::FindAccounts
            | Self::RemoveFromCareTeams
            | Self::BreakGlass
            | Self::EndBreakGlass
            | Self::ReportConcerns
            | Self::RecordDisclosures
            | Self::SuspendAccountings
            | Self::HoldResults
            | Self::ReadHolds
            | Self::ReadConcerns
            | Self::CloseConcerns
            | Self::ReadOpenRefills
            | Self::RaiseRefills
            | Self::CloseRefills
            | Self::ReadOpenAmendments
            | Self::RaiseAmendments
            | Self::CloseAmendments
            | Self::CountAmendments
            | Self::NoteOutcomes
            | Self::GrantProxies
            | Self::RevokeProxies
            | Self::RelateAppointments => Resource::PatientsTable,
            Self::ReadRecords | Self::WriteRecords => Resource::RecordsTable,
            Self::ReadDocuments
            | Self::AnnounceUploads
            | Self::SettleUploads
            | Self::DeleteUploads
            | Self::ReviewDocuments => Resource::DocumentsTable,
            Self::AttachUploads | Self::TakeUploads => Resource::QuarantineBucket,
            Self::StoreDocuments | Self::FetchDocuments | Self::DiscardDocuments => {
                Resource::DocumentsBucket
            }
            Self::EncryptFiles => Resource::DataKey,
            Self::RequestExports | Self::ReadExports | Self::KeepExports => {
                Resource::DocumentsTable
            }
            Self::ReadDirectory | Self::WriteDirectory => Resource::DirectoryTable,
            Self::ReadAvailability
            | Self::SetAvailability
            | Self::ReadAppointments
            | Self::ReadSchedules
            | Self::HoldSlots
            | Self::BookAppointments
            | Self::UpdateAppointments
            | Self::ReadWaitlist
            | Self::KeepWaitlist
            | Self::OfferOpenings
            | Self::ReadDueAppointments
            | Self::KeepReminders => Resource::ScheduleTable,
            Self::IssueTickets
            | Self::OpenChannels
            | Self::CloseChannels
            | Self::ReadEvents
            | Self::KeepNotices
            | Self::DeliverEvents => Resource::ChannelsTable,
            Self::PostToChannels => Resource::ChannelApi,
            Self::ReadMessages
            | Self::WriteMessages
            | Self::ReadInbox
            | Self::ReadMessageKeys
            | Self::WriteMessageKeys
            | Self::ReadPrivateKeys
            | Self::AdmitToPracticeKey => Resource::MessagesTable,
            Self::SealPrivateKeys | Self::OpenPrivateKeys => Resource::MessageKey,
            Self::KeepChain | Self::ReadChain | Self::KeepCheckpoints | Self::KeepVerification => {
                Resource::ChainTable
            }
            Self::CountAccesses => Resource::WatchTable,
            Self::RaiseAlarms => Resource::AlarmTopic,
            Self::ArchiveRecords | Self::SealArchive | Self::ReadArchive | Self::ListArchive => {
                Resource::AuditArchive
            }
            Self::WriteAuditLog | Self::ReadAuditLog => Resource::AuditLogGroup,
            Self::SignCheckpoints | Self::ReadSigningKey => Resource::SigningKey,
            Self::WriteAudit
            | Self::ReadRecordAccess
            | Self::SearchAuditLog
            | Self::ReadActivity
            | Self::CompareAudit => Resource::AuditTable,
            Self::UnwrapDataKeys | Self::CreateDataKeys => Resource::PhiKey,
            Self::ComputeIndex => Resource::IndexKey,
            Self::ActivateUsers
            | Self::InviteUsers
            | Self::SignOutUsers
            | Self::ListUsers
            | Self::DescribeUsers
            | Self::AlignUsers
            | Self::ResetSecondFactors
            | Self::ChangeAddresses
            | Self::RemoveUsers
            | Self::ReadSignIns => Resource::UserPool,
            Self::SendMail => Resource::MailSender,
            Self::SendTexts => Resource::TextSender,
            Self::ReadImports | Self::WriteImportReports => Resource::ImportBucket,
            Self::BeginExports | Self::WriteExports | Self::DownloadExports => {
                Resource::ExportsBucket
            }
        }
    }

    /// The exact IAM actions. A transaction needs the actions of its parts.
    pub const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::ReadAccounts => &["dynamodb:GetItem"],
            Self::ActivateAccounts | Self::KeepEmailChanges => {
                &["dynamodb:PutItem", "dynamodb:UpdateItem"]
            }
            Self::ForgetEmailChanges => &["dynamodb:DeleteItem"],
            Self::BarFromBreakingGlass => &["dynamodb:UpdateItem"],
            Self::CreateAccounts | Self::IssueActivations | Self::NoteReconciliation => {
                &["dynamodb:PutItem"]
            }
            Self::ManageAccounts | Self::KeepAdministrators => &["dynamodb:UpdateItem"],
            Self::KeepApprovals | Self::KeepPractitioners | Self::KeepCalendars => {
                &["dynamodb:DeleteItem", "dynamodb:PutItem"]
            }
            Self::FindPatients | Self::FindAccounts | Self::ReadCalendars => &["dynamodb:GetItem"],
            Self::CountRequests | Self::NoteSessions | Self::KeepSessions => {
                &["dynamodb:UpdateItem"]
            }
            Self::WriteContact | Self::WriteCareTeam | Self::LinkAccounts => &["dynamodb:PutItem"],
            Self::WriteFindIndex => &["dynamodb:BatchWriteItem"],
            Self::ReadPatients | Self::SearchPatients | Self::ReadPanels | Self::ReadRecords => {
                &["dynamodb:Query"]
            }
            Self::WritePatients => &[
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ],
            Self::GrantProxies => &["dynamodb:PutItem"],
            Self::RevokeProxies => &["dynamodb:DeleteItem", "dynamodb:PutItem"],
            Self::RemoveFromCareTeams => &["dynamodb:DeleteItem"],
            Self::BreakGlass
            | Self::RecordDisclosures
            | Self::ReportConcerns
            | Self::SuspendAccountings => &["dynamodb:PutItem"],
            Self::EndBreakGlass | Self::NoteOutcomes | Self::CountAmendments => {
                &["dynamodb:UpdateItem"]
            }
            Self::HoldResults => &[
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ],
            Self::ReadHolds => &["dynamodb:Query"],
            Self::ReadConcerns => &["dynamodb:GetItem", "dynamodb:Query"],
            Self::CloseConcerns => &["dynamodb:DeleteItem", "dynamodb:PutItem"],
            Self::ReadOpenRefills | Self::ReadOpenAmendments => &["dynamodb:Query"],
            Self::RaiseRefills | Self::RaiseAmendments => &["dynamodb:PutItem"],
            Self::CloseRefills | Self::CloseAmendments => &["dynamodb:DeleteItem"],
            Self::WriteRecords => &[
                "dynamodb:BatchWriteItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ],
            Self::ReadDocuments => &["dynamodb:GetItem", "dynamodb:Query"],
            Self::AnnounceUploads => &["dynamodb:PutItem", "dynamodb:UpdateItem"],
            Self::SettleUploads | Self::DeleteUploads | Self::ReviewDocuments => {
                &["dynamodb:UpdateItem"]
            }
            Self::AttachUploads | Self::StoreDocuments => &["s3:PutObject"],
            Self::TakeUploads => &["s3:DeleteObject", "s3:GetObject"],
            Self::FetchDocuments => &["s3:GetObject"],
            Self::DiscardDocuments => &["s3:DeleteObject"],
            Self::EncryptFiles => &["kms:GenerateDataKey"],
            Self::RequestExports => &["dynamodb:PutItem", "dynamodb:Query"],
            Self::ReadExports => &["dynamodb:Query"],
            Self::KeepExports => &["dynamodb:UpdateItem"],
            Self::ReadDirectory => &["dynamodb:GetItem"],
            Self::WriteDirectory => &["dynamodb:PutItem"],
            Self::ReadAvailability | Self::ReadAppointments => {
                &["dynamodb:GetItem", "dynamodb:Query"]
            }
            Self::ReadSchedules | Self::ReadWaitlist | Self::ReadDueAppointments => {
                &["dynamodb:Query"]
            }
            Self::KeepReminders => &["dynamodb:PutItem", "dynamodb:Query"],
            Self::SetAvailability | Self::HoldSlots | Self::RelateAppointments => {
                &["dynamodb:DeleteItem", "dynamodb:PutItem"]
            }
            Self::BookAppointments | Self::KeepWaitlist => &[
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ],
            Self::UpdateAppointments | Self::OfferOpenings => &["dynamodb:PutItem"],
            Self::IssueTickets => &["dynamodb:PutItem"],
            Self::OpenChannels => &[
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
            ],
            Self::CloseChannels => &["dynamodb:DeleteItem", "dynamodb:GetItem"],
            Self::ReadEvents => &["dynamodb:GetItem", "dynamodb:Query"],
            Self::DeliverEvents => &[
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            Self::PostToChannels => &["execute-api:ManageConnections"],
            Self::KeepNotices => &["dynamodb:Query", "dynamodb:UpdateItem"],
            Self::ReadMessages | Self::ReadMessageKeys => &["dynamodb:GetItem", "dynamodb:Query"],
            Self::ReadInbox => &["dynamodb:Query"],
            Self::ReadPrivateKeys => &["dynamodb:GetItem"],
            Self::WriteMessages | Self::WriteMessageKeys | Self::AdmitToPracticeKey => {
                &["dynamodb:PutItem"]
            }
            Self::SealPrivateKeys => &["kms:Encrypt"],
            Self::OpenPrivateKeys => &["kms:Decrypt"],
            Self::WriteAudit => &["dynamodb:PutItem"],
            Self::ReadRecordAccess | Self::SearchAuditLog | Self::ReadActivity => {
                &["dynamodb:Query"]
            }
            Self::KeepChain | Self::KeepCheckpoints | Self::KeepVerification => {
                &["dynamodb:GetItem", "dynamodb:UpdateItem"]
            }
            Self::ReadChain => &["dynamodb:GetItem"],
            Self::CountAccesses => &["dynamodb:UpdateItem"],
            Self::RaiseAlarms => &["sns:Publish"],
            Self::ArchiveRecords => &["s3:GetObject", "s3:PutObject"],
            Self::SealArchive => &["s3:PutObject"],
            Self::ReadArchive => &["s3:GetObject"],
            Self::ListArchive => &["s3:ListBucket"],
            Self::WriteAuditLog => &[
                "logs:CreateLogStream",
                "logs:GetLogEvents",
                "logs:PutLogEvents",
            ],
            Self::ReadAuditLog => &["logs:GetLogEvents"],
            Self::SignCheckpoints => &["kms:Sign"],
            Self::ReadSigningKey => &["kms:GetPublicKey"],
            Self::CompareAudit => &["dynamodb:BatchGetItem"],
            Self::UnwrapDataKeys => &["kms:Decrypt"],
            Self::CreateDataKeys => &["kms:GenerateDataKey"],
            Self::ComputeIndex => &["kms:GenerateMac"],
            Self::ActivateUsers => &[
                "cognito-idp:AdminAddUserToGroup",
                "cognito-idp:AdminCreateUser",
                "cognito-idp:AdminGetUser",
                "cognito-idp:AdminSetUserPassword",
            ],
            Self::InviteUsers => &[
                "cognito-idp:AdminAddUserToGroup",
                "cognito-idp:AdminCreateUser",
                "cognito-idp:AdminGetUser",
            ],
            Self::SignOutUsers => &["cognito-idp:AdminUserGlobalSignOut"],
            Self::ListUsers => &["cognito-idp:ListUsers"],
            Self::DescribeUsers => &["cognito-idp:AdminGetUser"],
            Self::AlignUsers => &[
                "cognito-idp:AdminAddUserToGroup",
                "cognito-idp:AdminDisableUser",
                "cognito-idp:AdminEnableUser",
                "cognito-idp:AdminListGroupsForUser",
                "cognito-idp:AdminRemoveUserFromGroup",
            ],
            Self::ResetSecondFactors => &[
                "cognito-idp:AdminDeleteSoftwareToken",
                "cognito-idp:AdminSetUserMFAPreference",
            ],
            Self::ChangeAddresses => &[
                "cognito-idp:AdminGetUser",
                "cognito-idp:AdminUpdateUserAttributes",
            ],
            Self::RemoveUsers => &["cognito-idp:AdminDeleteUser"],
            Self::ReadSignIns => &["cognito-idp:AdminListUserAuthEvents"],
            Self::SendMail => &["ses:SendEmail"],
            Self::SendTexts => &["sns:Publish"],
            Self::ReadImports => &["s3:GetObject"],
            Self::WriteImportReports => &["s3:PutObject"],
            Self::BeginExports | Self::WriteExports => &["s3:PutObject"],
            Self::DownloadExports => &["s3:GetObject"],
        }
    }
}
