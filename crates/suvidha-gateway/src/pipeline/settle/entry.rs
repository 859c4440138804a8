//! What the ledger keeps of a call: never its payload, nor anything that could be presented again.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderValue;
use suvidha_store::ledger::{Entry, Outcome};

use super::Record;

/// The longest text of an ASP's that an entry repeats, in characters.
const LONGEST: usize = 64;

impl Record {
    /// The entry of this call, which ends in `outcome`.
    pub(super) fn entry(&mut self, outcome: Outcome) -> Entry {
        let aspid = self.asp.as_ref().filter(|_| self.proven).map(|asp| asp.aspid);
        Entry {
            id: self.request_id,
            at: self.at,
            aspid,
            claimed_aspid: self.claimed.filter(|_| aspid.is_none()),
            txn: self.txn.as_ref().and_then(words),
            gstin: self.gstin.as_ref().and_then(words),
            ip_usr: self.ip_usr.as_ref().and_then(words),
            appver: self.appver.as_ref().and_then(words),
            method: self.method.as_ref().map(|method| method.as_str().to_owned()),
            api: self.api.clone().map(Cow::into_owned),
            action: self.action.clone().map(Cow::into_owned),
            version: self.version.clone().map(Cow::into_owned),
            status: self.status.map(|status| status.as_u16()),
            status_cd: self.status_cd,
            error_cd: self.error_cd.clone(),
            origin: self.origin,
            outcome,
            bytes_in: self.request_body.as_ref().map_or(0, |flow| flow.taken()),
            bytes_out: self.bytes_out,
            gstn_us: self.at_gstn.map(microseconds),
            total_us: microseconds(self.started.elapsed()),
            plan: self.charge.map(|charge| charge.plan),
            units: self.charge.map_or(0, |charge| charge.units),
            admitted: self.admitted,
            consent: self.consent.take(),
        }
    }
}

/// What a header says, if anything, as the ledger keeps it: cut, and with question marks for what is not visible ASCII, so
/// that nothing in it can fool whoever reads it on a terminal.
pub(crate) fn words(header: &HeaderValue) -> Option<String> {
    let bytes = header.as_bytes().trim_ascii();
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let is_visible = |byte: &u8| matches!(byte, b' '..=b'~');
    match std::str::from_utf8(bytes) {
        _ if bytes.is_empty() => None,
        Ok(text) if bytes.iter().all(is_visible) => Some(text.to_owned()),
        _ => Some(bytes.iter().map(|byte| if is_visible(byte) { char::from(*byte) } else { '?' }).collect()),
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_kept_cut_and_visible() {
        let kept = |bytes: &[u8]| words(&HeaderValue::from_bytes(bytes).unwrap());
        assert_eq!(kept(b" APP-1 2 ").as_deref(), Some("APP-1 2"));
        assert_eq!(kept(b"a\tb\xe2\x80\xaec\x9b").as_deref(), Some("a?b???c?"));
        assert_eq!(kept(&[b'x'; 1000]).unwrap().len(), LONGEST);
        assert_eq!((kept(b""), kept(b" \t ")), (None, None));
    }
}
