//! Which addresses a process and its descendants listen on, as Linux's /proc tells it.
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};

/// The state of a listening socket in /proc/net/tcp.
const LISTEN: &str = "0A";

/// The addresses of every socket that the process or a descendant of it listens on.
pub fn addresses(process: u32) -> Result<BTreeSet<IpAddr>> {
    let owned: BTreeSet<String> = family(process)?.into_iter().flat_map(sockets).collect();
    let mut addresses = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, state, ..] = fields.as_slice() else {
                continue;
            };
            let inode = fields.get(9).copied().unwrap_or_default();
            if *state == LISTEN && owned.contains(inode) {
                addresses.insert(address(local).context("an address in /proc/net/tcp")?);
            }
        }
    }
    Ok(addresses)
}

/// The process and all its descendants.
fn family(process: u32) -> Result<BTreeSet<u32>> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The second field is the name in parentheses, which may hold spaces; the parent is the
        // second after it.
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if let Some(parent) = parent.and_then(|parent| parent.parse::<u32>().ok()) {
            parents.insert(pid, parent);
        }
    }
    let mut family = BTreeSet::from([process]);
    loop {
        let before = family.len();
        family.extend(
            parents
                .iter()
                .filter(|(_, parent)| family.contains(parent))
                .map(|(pid, _)| *pid)
                .collect::<Vec<_>>(),
        );
        if family.len() == before {
            return Ok(family);
        }
    }
}

/// The inodes of a process's sockets.
fn sockets(process: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{process}/fd")) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect()
}

/// `0100007F:1004` is 127.0.0.1: words of four bytes in the machine's own order.
fn address(local: &str) -> Option<IpAddr> {
    let (hex, _port) = local.split_once(':')?;
    let bytes = data_encoding::HEXUPPER.decode(hex.as_bytes()).ok()?;
    let bytes: Vec<u8> = bytes
        .chunks_exact(4)
        .filter_map(|word| word.try_into().ok())
        .flat_map(|word: [u8; 4]| u32::from_be_bytes(word).to_ne_bytes())
        .collect();
    if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(Ipv4Addr::from(four).into());
    }
    let sixteen = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some(Ipv6Addr::from(sixteen).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn finds_what_this_process_listens_on() {
        let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = addresses(std::process::id()).unwrap();
        assert!(
            found.contains(&IpAddr::from(Ipv4Addr::LOCALHOST)),
            "{found:?}"
        );
    }

    #[test]
    fn reads_the_kernels_spelling() {
        let little_endian = cfg!(target_endian = "little");
        let (loopback, any) = ("0100007F:1004", "00000000:0050");
        if little_endian {
            assert_eq!(address(loopback), Some(IpAddr::from(Ipv4Addr::LOCALHOST)));
        }
        assert_eq!(address(any), Some(IpAddr::from(Ipv4Addr::UNSPECIFIED)));
        let six = "00000000000000000000000000000000:0050";
        assert_eq!(address(six), Some(IpAddr::from(Ipv6Addr::UNSPECIFIED)));
    }
}
