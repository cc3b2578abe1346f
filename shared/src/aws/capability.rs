//! What a function may do in AWS: each capability is a statement of a managed policy, its Sid.
//!
//! The template test holds these lists against the policies, both ways, and the integration tests
//! hold them against the calls that an operation really makes.

/// A thing a function may do. Its name in kebab case is the managed policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    ReadAccounts,
    /// Make an account, and count at the code that it is made with.
    ActivateAccounts,
    /// Note when somebody signed in or out.
    NoteSessions,
    /// Keep an account's sessions, and end one.
    KeepSessions,
    /// Make the row of an account that did not exist.
    CreateAccounts,
    ReadPatients,
    WritePatients,
    /// Change a patient's contact details.
    WriteContact,
    /// Give a patient their one account.
    LinkAccounts,
    /// Let somebody act for a patient.
    GrantProxies,
    RevokeProxies,
    RemoveFromCareTeams,
    ReadRecords,
    WriteRecords,
    ReadDirectory,
    WriteDirectory,
    WriteAudit,
    UnwrapDataKeys,
    CreateDataKeys,
    ComputeIndex,
    ActivateUsers,
    /// Make a user whom Cognito sends a password by email.
    InviteUsers,
    SignOutUsers,
    /// Read when and from where a user signed in.
    ReadSignIns,
    ReadImports,
    WriteImportReports,
}

/// What a capability's actions reach. The name of the environment variable that tells a function
/// which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    AccountsTable,
    PatientsTable,
    RecordsTable,
    DirectoryTable,
    AuditTable,
    PhiKey,
    IndexKey,
    UserPool,
    ImportBucket,
}

impl Resource {
    pub const fn env(self) -> &'static str {
        match self {
            Self::AccountsTable => "ACCOUNTS_TABLE",
            Self::PatientsTable => "PATIENTS_TABLE",
            Self::RecordsTable => "RECORDS_TABLE",
            Self::DirectoryTable => "DIRECTORY_TABLE",
            Self::AuditTable => "AUDIT_TABLE",
            Self::PhiKey => "PHI_KEY_ID",
            Self::IndexKey => "INDEX_KEY_ID",
            Self::UserPool => "USER_POOL_ID",
            Self::ImportBucket => "IMPORT_BUCKET",
        }
    }
}

impl Capability {
    pub const ALL: [Self; 26] = [
        Self::ReadAccounts,
        Self::ActivateAccounts,
        Self::NoteSessions,
        Self::KeepSessions,
        Self::CreateAccounts,
        Self::ReadPatients,
        Self::WritePatients,
        Self::WriteContact,
        Self::LinkAccounts,
        Self::GrantProxies,
        Self::RevokeProxies,
        Self::RemoveFromCareTeams,
        Self::ReadRecords,
        Self::WriteRecords,
        Self::ReadDirectory,
        Self::WriteDirectory,
        Self::WriteAudit,
        Self::UnwrapDataKeys,
        Self::CreateDataKeys,
        Self::ComputeIndex,
        Self::ActivateUsers,
        Self::InviteUsers,
        Self::SignOutUsers,
        Self::ReadSignIns,
        Self::ReadImports,
        Self::WriteImportReports,
    ];

    pub const fn resource(self) -> Resource {
        match self {
            Self::ReadAccounts
            | Self::ActivateAccounts
            | Self::NoteSessions
            | Self::KeepSessions
            | Self::CreateAccounts => Resource::AccountsTable,
            Self::ReadPatients
            | Self::WritePatients
            | Self::WriteContact
            | Self::LinkAccounts
            | Self::GrantProxies
            | Self::RevokeProxies
            | Self::RemoveFromCareTeams => Resource::PatientsTable,
            Self::ReadRecords | Self::WriteRecords => Resource::RecordsTable,
            Self::ReadDirectory | Self::WriteDirectory => Resource::DirectoryTable,
            Self::WriteAudit => Resource::AuditTable,
            Self::UnwrapDataKeys | Self::CreateDataKeys => Resource::PhiKey,
            Self::ComputeIndex => Resource::IndexKey,
            Self::ActivateUsers | Self::InviteUsers | Self::SignOutUsers | Self::ReadSignIns => {
                Resource::UserPool
            }
            Self::ReadImports | Self::WriteImportReports => Resource::ImportBucket,
        }
    }

    /// The exact IAM actions. A transaction needs the actions of its parts.
    pub const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::ReadAccounts => &["dynamodb:GetItem"],
            Self::ActivateAccounts => &["dynamodb:PutItem", "dynamodb:UpdateItem"],
            Self::NoteSessions | Self::KeepSessions => &["dynamodb:UpdateItem"],
            Self::CreateAccounts => &["dynamodb:PutItem"],
            Self::WriteContact | Self::LinkAccounts => &["dynamodb:PutItem"],
            Self::ReadPatients | Self::ReadRecords => &["dynamodb:Query"],
            Self::WritePatients => &[
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ],
            Self::GrantProxies => &["dynamodb:PutItem"],
            Self::RevokeProxies => &["dynamodb:DeleteItem", "dynamodb:PutItem"],
            Self::RemoveFromCareTeams => &["dynamodb:DeleteItem"],
            Self::WriteRecords => &[
                "dynamodb:BatchWriteItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
            ],
            Self::ReadDirectory => &["dynamodb:GetItem"],
            Self::WriteDirectory => &["dynamodb:PutItem"],
            Self::WriteAudit => &["dynamodb:PutItem"],
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
            Self::ReadSignIns => &["cognito-idp:AdminListUserAuthEvents"],
            Self::ReadImports => &["s3:GetObject"],
            Self::WriteImportReports => &["s3:PutObject"],
        }
    }
}
