//! The code of contracts as the node last gave it, so that the node need not send it again (spec wire.md 8).

use crate::messages::Account;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use thiserror::Error;

/// How much is remembered, in bytes of code, code hashes and addresses: hundreds of contracts.
const LIMIT_BYTES: usize = 16 << 20;

/// An answer without code, where the code can't be known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum UnknownCode {
    /// The node was not told of any code of this address.
    #[error("the code of an account is said to be unchanged, but none was known")]
    NeverKnown,
    /// The node was told of another one.
    #[error("the code of an account is said to be unchanged, but its code hash is another one")]
    OtherHash,
}

/// The code of the addresses that were asked for last.
///
/// A code hash is the node's: nothing says that equal ones at two addresses mean the same code. So each address has its
/// own, and what is remembered serves no other purpose.
#[derive(Debug, Default)]
pub(super) struct KnownCode {
    entries: HashMap<Bytes, Entry>,
    /// The addresses by their last use, oldest first.
    by_use: BTreeMap<u64, Bytes>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    code_hash: Bytes,
    code: Bytes,
    last_use: u64,
}

impl KnownCode {
    /// The code hash that came with the code of this address; empty if that is not known.
    pub(super) fn hash(&self, address: &[u8]) -> Bytes {
        let entry = self.entries.get(address);
        entry.map_or_else(Bytes::new, |entry| entry.code_hash.clone())
    }

    /// Puts the code into an answer that has left it out, and remembers that of one that has it. The account is as if the
    /// node had sent all of it.
    pub(super) fn complete(
        &mut self,
        address: &Bytes,
        account: &mut Account,
    ) -> Result<(), UnknownCode> {
        let unchanged = std::mem::take(&mut account.code_unchanged);
        if unchanged && account.code.is_empty() {
            let entry = self.entries.get(address).ok_or(UnknownCode::NeverKnown)?;
            if entry.code_hash != account.code_hash {
                return Err(UnknownCode::OtherHash);
            }
            account.code = entry.code.clone();
            self.touch(address);
        } else {
            self.remember(address, account);
        }
        Ok(())
    }

    fn remember(&mut self, address: &Bytes, account: &mut Account) {
        if let Some(entry) = self.entries.get(address)
            && entry.code_hash == account.code_hash
            && entry.code == account.code
        {
            // A node that does not know how to leave it out: what is there already need not be copied again.
            account.code = entry.code.clone();
            return self.touch(address);
        }
        self.forget(address);
        let size = size(address, &account.code_hash, &account.code);
        if account.code_hash.is_empty() || account.code.is_empty() || size > LIMIT_BYTES {
            return;
        }
        while self.bytes + size > LIMIT_BYTES {
            let Some((_, oldest)) = self.by_use.first_key_value() else {
                break;
            };
            self.forget(&oldest.clone());
        }
        // Copies: the received bytes may be parts of something larger.
        let code = Bytes::copy_from_slice(&account.code);
        account.code = code.clone();
        let entry = Entry {
            code_hash: Bytes::copy_from_slice(&account.code_hash),
            code,
            last_use: 0,
        };
        self.bytes += size;
        self.entries.insert(address.clone(), entry);
        self.touch(address);
    }

    fn forget(&mut self, address: &Bytes) {
        if let Some(entry) = self.entries.remove(address) {
            self.by_use.remove(&entry.last_use);
            self.bytes -= size(address, &entry.code_hash, &entry.code);
        }
    }

    fn touch(&mut self, address: &Bytes) {
        if let Some(entry) = self.entries.get_mut(address) {
            // Mostly it is the one that was used last.
            if self.uses > 0 && entry.last_use == self.uses {
                return;
            }
            self.by_use.remove(&entry.last_use);
            self.uses += 1;
            entry.last_use = self.uses;
            self.by_use.insert(self.uses, address.clone());
        }
    }
}

fn size(address: &Bytes, code_hash: &Bytes, code: &Bytes) -> usize {
    /// What an entry takes besides: itself, its place in two maps.
    const ENTRY_BYTES: usize = 256;
    ENTRY_BYTES + address.len() + code_hash.len() + code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    fn account(code_hash: &str, code: &str, code_unchanged: bool) -> Account {
        Account {
            code_hash: bytes(code_hash),
            code: bytes(code),
            code_unchanged,
            ..Account::default()
        }
    }

    /// What becomes of an answer for this address.
    fn answer(known: &mut KnownCode, address: &str, mut account: Account) -> Account {
        let completed = known.complete(&bytes(address), &mut account);
        completed.expect("can be completed");
        assert!(!account.code_unchanged, "the VM knows nothing of it");
        account
    }

    #[test]
    fn code_that_was_left_out_is_put_back() {
        let mut known = KnownCode::default();
        assert_eq!(known.hash(b"a"), "");
        let whole = answer(&mut known, "a", account("1", "code", false));
        assert_eq!(known.hash(b"a"), "1");
        assert_eq!(answer(&mut known, "a", account("1", "", true)), whole);
        // An account that has changed in other ways is another account with the same code.
        let richer = Account {
            nonce: 9,
            ..account("1", "", true)
        };
        assert_eq!(answer(&mut known, "a", richer).nonce, 9);
    }

    #[test]
    fn the_last_answer_counts() {
        let mut known = KnownCode::default();
        for (code_hash, code) in [("1", "code"), ("2", "other code"), ("2", "the hash stays")] {
            answer(&mut known, "a", account(code_hash, code, false));
            assert_eq!(known.hash(b"a"), code_hash);
            assert_eq!(
                answer(&mut known, "a", account(code_hash, "", true)).code,
                code
            );
        }
        // Code that is there counts, whatever is said about it.
        let both = answer(&mut known, "a", account("3", "third", true));
        assert_eq!((both.code, known.hash(b"a")), (bytes("third"), bytes("3")));
    }

    #[test]
    fn equal_hashes_at_two_addresses_may_mean_different_code() {
        let mut known = KnownCode::default();
        answer(&mut known, "a", account("1", "code of a", false));
        assert_eq!(known.hash(b"b"), "");
        answer(&mut known, "b", account("1", "code of b", false));
        assert_eq!(
            answer(&mut known, "a", account("1", "", true)).code,
            "code of a"
        );
        assert_eq!(
            answer(&mut known, "b", account("1", "", true)).code,
            "code of b"
        );
    }

    #[test]
    fn what_was_never_known_is_not_unchanged() {
        let mut known = KnownCode::default();
        let mut unchanged = |address: &str, code_hash: &str| {
            known.complete(&bytes(address), &mut account(code_hash, "", true))
        };
        assert_eq!(unchanged("a", "1"), Err(UnknownCode::NeverKnown));
        assert_eq!(unchanged("a", ""), Err(UnknownCode::NeverKnown));
        answer(&mut known, "a", account("1", "code", false));
        let mut unchanged = |address: &str, code_hash: &str| {
            known.complete(&bytes(address), &mut account(code_hash, "", true))
        };
        assert_eq!(unchanged("a", "2"), Err(UnknownCode::OtherHash));
        assert_eq!(unchanged("a", ""), Err(UnknownCode::OtherHash));
        assert_eq!(unchanged("b", "1"), Err(UnknownCode::NeverKnown));
    }

    #[test]
    fn an_account_without_code_or_code_hash_is_not_remembered() {
        for (code_hash, code) in [("", "code"), ("1", ""), ("", "")] {
            let mut known = KnownCode::default();
            answer(&mut known, "a", account("0", "old code", false));
            answer(&mut known, "a", account(code_hash, code, false));
            assert_eq!((known.hash(b"a"), known.bytes), (Bytes::new(), 0));
        }
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut known = KnownCode::default();
        let third = "x".repeat(LIMIT_BYTES / 3);
        let huge = "x".repeat(LIMIT_BYTES);
        for address in ["a", "b"] {
            answer(&mut known, address, account("1", &third, false));
        }
        answer(&mut known, "a", account("1", "", true));
        answer(&mut known, "huge", account("1", &huge, false));
        assert_eq!(known.hash(b"huge"), "", "never more than the limit");
        answer(&mut known, "c", account("1", &third, false));
        let hashes = [b"a", b"b", b"c"].map(|address| known.hash(address));
        assert_eq!(hashes, ["1", "", "1"]);
        assert!(known.bytes <= LIMIT_BYTES);
        assert_eq!(known.by_use.len(), known.entries.len());
    }
}
