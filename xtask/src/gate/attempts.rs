//! Failed attempts and the lockout they lead to, and the codes that were used already.
use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Cognito's lockout: from the fifth failure on, 2^(failures - 5) seconds, at most 15 minutes;
/// forgotten after a whole sign-in, or after 15 minutes without an attempt.
#[derive(Default)]
pub(super) struct Lockouts(HashMap<String, Tally>);

/// An attempt that counts as failed until it is given back.
#[must_use]
pub(super) struct Trial {
    user: String,
    until: Instant,
}

struct Tally {
    failures: u32,
    last: Instant,
    until: Instant,
}

const FREE_FAILURES: u32 = 5;
const LONGEST: Duration = Duration::from_secs(15 * 60);

impl Lockouts {
    /// Counts an attempt before its outcome is known, so that attempts made at once are not all
    /// judged; none while the user is locked out.
    pub(super) fn begin(&mut self, user: &str) -> Option<Trial> {
        if self.locked(user) {
            return None;
        }
        Some(Trial {
            user: user.to_owned(),
            until: self.failed(user),
        })
    }

    /// Takes an attempt back that did not fail, and the lockout it led to.
    pub(super) fn give_back(&mut self, trial: &Trial) {
        let Some(tally) = self.0.get_mut(&trial.user) else {
            return;
        };
        tally.failures = tally.failures.saturating_sub(1);
        if tally.until == trial.until {
            tally.until = Instant::now();
        }
        if tally.failures == 0 {
            self.0.remove(&trial.user);
        }
    }

    fn locked(&mut self, user: &str) -> bool {
        let now = Instant::now();
        self.0
            .retain(|_, tally| tally.until > now || now < tally.last + LONGEST);
        self.0.get(user).is_some_and(|tally| tally.until > now)
    }

    fn failed(&mut self, user: &str) -> Instant {
        let now = Instant::now();
        let tally = self.0.entry(user.to_owned()).or_insert(Tally {
            failures: 0,
            last: now,
            until: now,
        });
        tally.failures += 1;
        tally.last = now;
        if let Some(doublings) = tally.failures.checked_sub(FREE_FAILURES) {
            tally.until = now + Duration::from_secs(1 << doublings.min(10)).min(LONGEST);
        }
        tally.until
    }

    pub(super) fn succeeded(&mut self, user: &str) {
        self.0.remove(user);
    }
}

/// The codes that were accepted, for as long as they would be accepted again.
#[derive(Default)]
pub(super) struct UsedCodes(HashMap<(String, String), Instant>);

/// The emulator takes the code before, the current one and the one after: 90 s, and some slack.
const CURRENT: Duration = Duration::from_secs(120);

impl UsedCodes {
    /// Reserves a code for one use; false when it was used, or is being used, already.
    pub(super) fn reserve(&mut self, user: &str, code: &str) -> bool {
        let now = Instant::now();
        self.0.retain(|_, until| *until > now);
        self.0
            .insert((user.to_owned(), code.to_owned()), now + CURRENT)
            .is_none()
    }

    /// Frees a code that turned out not to be right.
    pub(super) fn release(&mut self, user: &str, code: &str) {
        self.0.remove(&(user.to_owned(), code.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn the_fifth_failure_locks_and_each_further_one_doubles_it() {
        let mut lockouts = Lockouts::default();
        for _ in 0..4 {
            lockouts.failed("ann");
        }
        assert!(!lockouts.locked("ann"));
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900] {
            lockouts.failed("ann");
            advance(Duration::from_millis(seconds * 1000 - 1)).await;
            assert!(lockouts.locked("ann"), "{seconds} s");
            assert!(!lockouts.locked("bob"));
            advance(Duration::from_millis(1)).await;
            assert!(!lockouts.locked("ann"), "{seconds} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_in_or_a_quiet_quarter_of_an_hour_forgets_the_failures() {
        let mut lockouts = Lockouts::default();
        for forget in [true, false] {
            for _ in 0..5 {
                lockouts.failed("ann");
            }
            assert!(lockouts.locked("ann"));
            if forget {
                lockouts.succeeded("ann");
            } else {
                advance(LONGEST).await;
            }
            assert!(!lockouts.locked("ann"));
            lockouts.failed("ann");
            assert!(!lockouts.locked("ann"));
            lockouts.succeeded("ann");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_made_at_once_are_counted_before_they_are_judged() {
        let mut lockouts = Lockouts::default();
        let trials: Vec<Trial> = (0..14).filter_map(|_| lockouts.begin("ann")).collect();
        assert_eq!(trials.len(), 5);
        for trial in &trials {
            lockouts.give_back(trial);
        }
        assert!(!lockouts.locked("ann"));

        for _ in 0..6 {
            lockouts.failed("ann");
        }
        assert!(lockouts.begin("ann").is_none());
        advance(Duration::from_secs(2)).await;
        let right = lockouts.begin("ann").unwrap();
        assert!(lockouts.locked("ann"), "while it is judged");
        lockouts.give_back(&right);
        assert!(!lockouts.locked("ann"));
        lockouts.failed("ann");
        advance(Duration::from_secs(3)).await;
        assert!(lockouts.locked("ann"), "the seventh failure, not the first");
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_is_used_once_while_it_is_current() {
        let mut used = UsedCodes::default();
        assert!(used.reserve("ann", "123456"));
        assert!(!used.reserve("ann", "123456"));
        assert!(used.reserve("bob", "123456"));
        used.release("ann", "123456");
        assert!(used.reserve("ann", "123456"));
        advance(CURRENT).await;
        assert!(used.reserve("ann", "123456"));
    }
}
