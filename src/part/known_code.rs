//! Cache of contract code by address, so that the node need not send code again (docs/spec/wire.md#known-code).

use crate::byte_lru::ByteLru;
use crate::messages::Account;
use bytes::Bytes;
use thiserror::Error;

/// Limit of the cache, in bytes of code, code hashes and addresses: enough for hundreds of contracts.
const LIMIT_BYTES: usize = 16 << 20;

/// An account said to have unchanged code that is not in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum UnknownCode {
    /// No code was known for this address.
    #[error("the code of an account is said to be unchanged, but none was known")]
    NeverKnown,
    /// The cached code has another code hash.
    #[error("the code of an account is said to be unchanged, but its code hash is another one")]
    OtherHash,
}

/// An LRU cache of code by address.
///
/// A code hash is an opaque value of the node. Equal hashes at two addresses need not mean equal code, so entries are
/// per address and used for nothing else.
#[derive(Debug)]
pub(super) struct KnownCode {
    entries: ByteLru<Bytes, Entry>,
}

#[derive(Debug)]
struct Entry {
    code_hash: Bytes,
    code: Bytes,
}

impl Default for KnownCode {
    fn default() -> KnownCode {
        KnownCode {
            entries: ByteLru::new(LIMIT_BYTES),
        }
    }
}

impl KnownCode {
    /// The code hash received with the code of this address; empty if none is cached.
    pub(super) fn hash(&self, address: &[u8]) -> Bytes {
        let entry = self.entries.peek(address);
        entry.map_or_else(Bytes::new, |entry| entry.code_hash.clone())
    }

    /// Completes an answer: inserts the code if it was left out, otherwise caches it. The account is then as if the
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
        } else {
            self.remember(address, account);
        }
        Ok(())
    }

    fn remember(&mut self, address: &Bytes, account: &mut Account) {
        if account.code_hash.is_empty() || account.code.is_empty() {
            return self.entries.remove(address);
        }
        if let Some(entry) = self.entries.get(address)
            && entry.code_hash == account.code_hash
            && entry.code == account.code
        {
            // The node sent known code again: share the cached copy instead of copying.
            account.code = entry.code.clone();
            return;
        }
        // Copied: the received bytes may be a slice of a larger buffer.
        account.code = Bytes::copy_from_slice(&account.code);
        let entry = Entry {
            code_hash: Bytes::copy_from_slice(&account.code_hash),
            code: account.code.clone(),
        };
        let size = size(address, &account.code_hash, &account.code);
        self.entries.put(address.clone(), entry, size);
    }
}

fn size(address: &Bytes, code_hash: &Bytes, code: &Bytes) -> usize {
    /// Overhead of an entry: the struct and its slot in the map.
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

    /// An answer for this address, completed.
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
        // Other fields of the account may have changed.
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
        // Code that is present is used, whatever `code_unchanged` says.
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
            assert_eq!((known.hash(b"a"), known.entries.bytes()), (Bytes::new(), 0));
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
    }
}
