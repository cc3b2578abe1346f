//! The one folder that a local stack lives in, and what is where inside it.
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Where a local stack keeps its state. Two homes side by side share nothing but the tools.
#[derive(Clone)]
pub struct Home(PathBuf);

/// What a client needs to talk to a running stack, written as `portal.json` once it is ready.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Portal {
    /// The front door: sign-in below `/cognito/`, the API below `/v1/`.
    pub address: String,
    pub region: String,
    pub user_pool_id: String,
    pub user_pool_client_id: String,
    /// The emulated AWS endpoint, for tests and tools; access key and secret are both `test`.
    pub emulator: String,
    pub api_id: String,
    pub stage: String,
    /// Every output of the stack by its name: table names, bucket names and the like.
    pub outputs: std::collections::BTreeMap<String, String>,
}

impl Home {
    pub fn at(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self(folder.canonicalize()?))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A folder inside the home, created when it is not there.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.0.join(name);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    fn portal_file(&self) -> PathBuf {
        self.0.join("portal.json")
    }

    pub fn write_portal(&self, portal: &Portal) -> Result<()> {
        Ok(fs::write(
            self.portal_file(),
            serde_json::to_vec_pretty(portal)?,
        )?)
    }

    /// The running stack's description.
    pub fn portal(&self) -> Result<Portal> {
        let file = self.portal_file();
        let text = fs::read(&file).with_context(|| {
            format!(
                "{} is not there: is `cargo xtask up` ready?",
                file.display()
            )
        })?;
        Ok(serde_json::from_slice(&text)?)
    }

    pub fn remove_portal(&self) {
        let _ = fs::remove_file(self.portal_file());
    }

    fn lock_file(&self) -> Result<File> {
        let file = self.0.join("up.lock");
        File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&file)
            .with_context(|| format!("cannot open {}", file.display()))
    }

    /// Takes the home for this process. The lock ends with the process, however it ends.
    pub fn claim(&self) -> Result<Claim> {
        let mut file = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("a portal is already up in {}", self.0.display())
            }
            Err(TryLockError::Error(e)) => return Err(e.into()),
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        file.flush()?;
        Ok(Claim { _lock: file })
    }

    /// The process that holds the home, if one does: the id in the file is only believed while
    /// its lock is held, so an id that was reused by a stranger is never taken for ours.
    pub fn holder(&self) -> Result<Option<u32>> {
        let mut file = self.lock_file()?;
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid)?;
                Ok(pid.trim().parse().ok())
            }
            Err(TryLockError::Error(e)) => Err(e.into()),
        }
    }

    /// Removes the state of the stack and leaves the tools.
    pub fn erase(&self) -> Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            if entry.file_name() == "tools" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Holds a home until it is dropped.
pub struct Claim {
    _lock: File,
}

/// The root of the workspace that this was built from.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_held_by_one_and_erased_but_for_the_tools() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(&folder.path().join("portal")).unwrap();
        assert_eq!(home.holder().unwrap(), None);
        let claim = home.claim().unwrap();
        assert!(home.claim().is_err());
        assert_eq!(home.holder().unwrap(), Some(std::process::id()));
        drop(claim);
        assert_eq!(home.holder().unwrap(), None);

        home.folder("tools").unwrap();
        home.folder("emulator/state").unwrap();
        home.erase().unwrap();
        let left = fs::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["tools"]);
    }
}
