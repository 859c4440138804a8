//! What the clients know, against what the ledger says: the comparison, with no process and no file in it, so that it can be
//! shown to catch what it is there for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// What an answer that came whole said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// `x-request-id`.
    pub(crate) request_id: String,
    pub(crate) status: u16,
    /// Of the body.
    pub(crate) bytes: u64,
    /// GSTN gave it, and not the gateway.
    pub(crate) by_gstn: bool,
}

/// A call, as its client tells it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// No two calls have the same. What stands before its last `-` is the caller's, who makes one call after another.
    pub(crate) txn: String,
    /// Who proved to be calling; nobody where the credentials are wrong.
    pub(crate) aspid: Option<String>,
    /// What it costs, in units, if GSTN answers it.
    pub(crate) price: u64,
    /// None where no whole answer came: the client gave up, or the gateway was killed.
    pub(crate) answer: Option<Answer>,
}

/// A call, as the ledger tells it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) seq: u64,
    pub(crate) id: String,
    pub(crate) txn: Option<String>,
    pub(crate) aspid: Option<String>,
    pub(crate) status: u16,
    /// Its outcome is `answered`, or a refusal: the answer was given to its end.
    pub(crate) whole: bool,
    /// `None` where it is that of an answer that was withheld, and not of the refusal that was given.
    pub(crate) bytes_out: Option<u64>,
    pub(crate) prepaid: bool,
    pub(crate) units: u64,
}

/// Who tells a balance.
pub(crate) type Teller = &'static str;

/// All that the clients and the operator know.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) calls: Vec<Told>,
    /// Units that each prepaid ASP was given in all.
    pub(crate) topped_up: BTreeMap<String, i64>,
    /// How often GSTN saw each `txn`.
    pub(crate) at_gstn: HashMap<String, usize>,
}

/// All that is found after a restart.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In the order of the ledger, from its first.
    pub(crate) entries: Vec<Kept>,
    /// The balance of an ASP, by whoever told it.
    pub(crate) balances: Vec<(Teller, String, i64)>,
}

/// Where the two do not agree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A whole answer without an entry.
    Lost {
        txn: String,
    },
    /// The same, though a later call of the same caller has its entry: not even a relaxed ledger may lose that.
    LostInBetween {
        txn: String,
    },
    /// More than one entry for a call, or two with one id.
    Double {
        of: String,
    },
    /// An entry for a call that nobody made.
    NeverSent {
        seq: u64,
        txn: Option<String>,
    },
    /// The entries do not count on from 1.
    Gap {
        after: u64,
    },
    /// An entry that says of its call what is not so.
    Differs {
        txn: String,
        what: &'static str,
        told: String,
        kept: String,
    },
    /// GSTN got a call more than once.
    ForwardedTwice {
        txn: String,
    },
    /// An ASP was charged more than it had.
    Overdrawn {
        aspid: String,
        by: i64,
    },
    Balance {
        aspid: String,
        teller: Teller,
        expected: i64,
        told: i64,
    },
}

/// How the comparison went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Calls that clients sent.
    pub(crate) sent: usize,
    /// Answers that came whole.
    pub(crate) answered: usize,
    pub(crate) entries: usize,
    /// Whole answers without an entry: none under `strict`.
    pub(crate) lost: usize,
    /// Calls that GSTN saw, whose client got no whole answer, and that have no entry.
    pub(crate) cut_off_unrecorded: usize,
    /// Units charged to prepaid ASPs.
    pub(crate) charged: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { txn } => write!(f, "{txn} was answered whole and has no entry"),
            Self::LostInBetween { txn } => write!(f, "{txn} has no entry, though later calls have theirs"),
            Self::Double { of } => write!(f, "{of} has more than one entry"),
            Self::NeverSent { seq, txn } => write!(f, "entry {seq} ({txn:?}) is of a call that nobody made"),
            Self::Gap { after } => write!(f, "after entry {after} the numbers do not go on"),
            Self::Differs { txn, what, told, kept } => {
                write!(f, "{txn}: {what} is {told} for the client and {kept} in the ledger")
            }
            Self::ForwardedTwice { txn } => write!(f, "{txn} came to GSTN more than once"),
            Self::Overdrawn { aspid, by } => write!(f, "ASP {aspid} was charged {by} units more than it had"),
            Self::Balance { aspid, teller, expected, told } => {
                write!(f, "the balance of ASP {aspid} is {expected}, and {teller} says {told}")
            }
        }
    }
}

/// Compares. A call costs its price where GSTN answered it, and else nothing.
pub(crate) fn compare(known: &Known, found: &Found) -> (Figures, Vec<Fault>) {
    let mut faults = Vec::new();
    let told: HashMap<&str, &Told> = known.calls.iter().map(|call| (call.txn.as_str(), call)).collect();
    assert_eq!(told.len(), known.calls.len(), "the clients used a txn twice");
    let kept = of_each_call(&told, found, &mut faults);
    let mut figures = Figures { sent: told.len(), entries: found.entries.len(), ..Figures::default() };
    for call in &known.calls {
        let entry = kept.get(call.txn.as_str());
        let at_gstn = known.at_gstn.get(&call.txn).copied().unwrap_or_default();
        if at_gstn > 1 {
            faults.push(Fault::ForwardedTwice { txn: call.txn.clone() });
        }
        match (&call.answer, entry) {
            (Some(answer), Some(entry)) => agree(call, answer, entry, &mut faults),
            (Some(_), None) => faults.push(Fault::Lost { txn: call.txn.clone() }),
            (None, Some(entry)) => agree_without_answer(call, at_gstn, entry, &mut faults),
            (None, None) => figures.cut_off_unrecorded += at_gstn.min(1),
        }
        figures.answered += usize::from(call.answer.is_some());
    }
    lost_in_between(known, &kept, &mut faults);
    figures.lost = faults.iter().filter(|fault| matches!(fault, Fault::Lost { .. })).count();
    figures.charged = found.entries.iter().filter(|entry| entry.prepaid).map(|entry| entry.units).sum();
    balances(known, found, &mut faults);
    (figures, faults)
}

/// The entry of each call, by its `txn`.
fn of_each_call<'a>(
    told: &HashMap<&str, &Told>,
    found: &'a Found,
    faults: &mut Vec<Fault>,
) -> HashMap<&'a str, &'a Kept> {
    let (mut kept, mut ids) = (HashMap::new(), HashMap::new());
    for (before, entry) in found.entries.iter().enumerate() {
        let before = before as u64;
        if entry.seq != before + 1 && !faults.iter().any(|fault| matches!(fault, Fault::Gap { .. })) {
            faults.push(Fault::Gap { after: before });
        }
        if ids.insert(&entry.id, entry.seq).is_some() {
            faults.push(Fault::Double { of: entry.id.clone() });
        }
        match entry.txn.as_deref().filter(|txn| told.contains_key(txn)) {
            Some(txn) if kept.insert(txn, entry).is_some() => {
                faults.push(Fault::Double { of: txn.to_owned() })
            }
            Some(_) => {}
            None => faults.push(Fault::NeverSent { seq: entry.seq, txn: entry.txn.clone() }),
        }
    }
    kept
}

/// What a caller did is recorded in its order: whatever is lost is lost from some call on.
fn lost_in_between(known: &Known, kept: &HashMap<&str, &Kept>, faults: &mut Vec<Fault>) {
    let mut later_is_kept = HashSet::new();
    for call in known.calls.iter().rev().filter(|call| call.answer.is_some()) {
        let caller = call.txn.rsplit_once('-').map_or(call.txn.as_str(), |(caller, _)| caller);
        if kept.contains_key(call.txn.as_str()) {
            later_is_kept.insert(caller);
        } else if later_is_kept.contains(&caller) {
            faults.push(Fault::LostInBetween { txn: call.txn.clone() });
        }
    }
}

fn agree(call: &Told, answer: &Answer, entry: &Kept, faults: &mut Vec<Fault>) {
    let mut same = |what, told: String, kept: String| {
        if told != kept {
            faults.push(Fault::Differs { txn: call.txn.clone(), what, told, kept });
        }
    };
    same("the request id", answer.request_id.clone(), entry.id.clone());
    same("the status", answer.status.to_string(), entry.status.to_string());
    // What leads nowhere, and what comes when the gateway closes, is refused before it asks who calls.
    if answer.by_gstn || entry.aspid.is_some() {
        same("the ASP", format!("{:?}", call.aspid), format!("{:?}", entry.aspid));
    }
    same("whether it was answered", true.to_string(), entry.whole.to_string());
    same("the length", answer.bytes.to_string(), entry.bytes_out.unwrap_or(answer.bytes).to_string());
    let charge = if answer.by_gstn { call.price } else { 0 };
    same("the charge", charge.to_string(), entry.units.to_string());
}

/// The client does not know how it ended; but who called it knows, and that GSTN must have been asked if it was charged.
fn agree_without_answer(call: &Told, at_gstn: usize, entry: &Kept, faults: &mut Vec<Fault>) {
    let mut differs = |what, told: String, kept: String| {
        faults.push(Fault::Differs { txn: call.txn.clone(), what, told, kept });
    };
    // A call that was cut off in its head may not have come as far as its credentials.
    if entry.aspid.is_some() && entry.aspid != call.aspid {
        differs("the ASP", format!("{:?}", call.aspid), format!("{:?}", entry.aspid));
    }
    let most = if at_gstn > 0 { call.price } else { 0 };
    if entry.units > most {
        differs("the charge", format!("at most {most}"), entry.units.to_string());
    }
}

fn balances(known: &Known, found: &Found, faults: &mut Vec<Fault>) {
    let mut left = known.topped_up.clone();
    for entry in found.entries.iter().filter(|entry| entry.prepaid) {
        let aspid = entry.aspid.clone().unwrap_or_default();
        *left.entry(aspid).or_default() -= i64::try_from(entry.units).unwrap_or(i64::MAX);
    }
    for (aspid, units) in left.iter().filter(|(_, units)| **units < 0) {
        faults.push(Fault::Overdrawn { aspid: aspid.clone(), by: -units });
    }
    for (teller, aspid, told) in &found.balances {
        let expected = left.get(aspid).copied().unwrap_or_default();
        if expected != *told {
            faults.push(Fault::Balance { aspid: aspid.clone(), teller, expected, told: *told });
        }
    }
}

/// Every fault is planted once: a comparison that finds nothing must be one that could have.
mod tests {
    use super::*;

    const ASP: &str = "1000000001";

    fn told(txn: &str, answer: Option<(u16, bool)>) -> Told {
        let answer = answer.map(|(status, by_gstn)| Answer {
            request_id: format!("id-{txn}"),
            status,
            bytes: 10,
            by_gstn,
        });
        Told { txn: txn.to_owned(), aspid: Some(ASP.to_owned()), price: 1, answer }
    }

    fn kept(seq: u64, txn: &str, status: u16, units: u64) -> Kept {
        Kept {
            seq,
            id: format!("id-{txn}"),
            txn: Some(txn.to_owned()),
            aspid: Some(ASP.to_owned()),
            status,
            whole: true,
            bytes_out: Some(10),
            prepaid: true,
            units,
        }
    }

    /// Two calls that GSTN answered, one that we refused, one that was cut off; ten units, of which eight are left.
    fn agreeing() -> (Known, Found) {
        let calls = vec![
            told("a", Some((200, true))),
            told("b", Some((200, true))),
            told("c", Some((402, false))),
            told("d", None),
        ];
        let at_gstn = ["a", "b", "d"].map(|txn| (txn.to_owned(), 1)).into();
        let topped_up = BTreeMap::from([(ASP.to_owned(), 10)]);
        let entries = vec![kept(1, "a", 200, 1), kept(2, "c", 402, 0), kept(3, "b", 200, 1)];
        let balances = vec![("getapibalance", ASP.to_owned(), 8)];
        (Known { calls, topped_up, at_gstn }, Found { entries, balances })
    }

    fn faults(change: impl FnOnce(&mut Known, &mut Found)) -> Vec<Fault> {
        let (mut known, mut found) = agreeing();
        change(&mut known, &mut found);
        compare(&known, &found).1
    }

    fn differing(what: &'static str, change: impl FnOnce(&mut Known, &mut Found)) {
        let found = faults(change);
        let expected = |fault: &Fault| matches!(fault, Fault::Differs { what: told, .. } if *told == what);
        assert!(found.iter().any(expected), "{found:?}");
    }

    #[test]
    fn books_that_agree_have_no_fault() {
        let (known, found) = agreeing();
        let figures =
            Figures { sent: 4, answered: 3, entries: 3, lost: 0, cut_off_unrecorded: 1, charged: 2 };
        assert_eq!(compare(&known, &found), (figures, vec![]));
        // One that was cut off may have its entry, charged or not.
        assert_eq!(faults(|_, found| found.entries.push(kept(4, "d", 503, 0))), []);
        let charged = faults(|_, found| {
            found.entries.push(kept(4, "d", 200, 1));
            found.balances[0].2 = 7;
        });
        assert_eq!(charged, []);
    }

    #[test]
    fn an_entry_that_is_lost_is_found() {
        let (mut known, mut found) = agreeing();
        found.entries.pop();
        found.balances[0].2 = 9;
        let (figures, faults) = compare(&known, &found);
        assert_eq!((figures.lost, faults), (1, vec![Fault::Lost { txn: "b".to_owned() }]));
        known.calls[1].answer = None;
        assert_eq!(compare(&known, &found).1, []);
    }

    #[test]
    fn an_entry_that_is_lost_before_others_is_found() {
        let lost = |kept_txn: &str| {
            let calls = vec![told("c1-1", Some((402, false))), told("c1-2", Some((402, false)))];
            let entries = vec![kept(1, kept_txn, 402, 0)];
            let (known, found) = (Known { calls, ..Known::default() }, Found { entries, ..Found::default() });
            compare(&known, &found).1
        };
        let txn = || "c1-1".to_owned();
        assert_eq!(lost("c1-2"), [Fault::Lost { txn: txn() }, Fault::LostInBetween { txn: txn() }]);
        assert_eq!(lost("c1-1"), [Fault::Lost { txn: "c1-2".to_owned() }]);
    }

    #[test]
    fn an_entry_that_is_there_twice_is_found() {
        let again = |seq, id: &str| Kept { id: id.to_owned(), ..kept(seq, "a", 200, 0) };
        let found = faults(|_, found| found.entries.push(again(4, "another")));
        assert!(found.contains(&Fault::Double { of: "a".to_owned() }), "{found:?}");
        let found = faults(|_, found| found.entries.push(again(4, "id-a")));
        assert!(found.contains(&Fault::Double { of: "id-a".to_owned() }), "{found:?}");
    }

    #[test]
    fn an_entry_that_nobody_caused_is_found() {
        let found = faults(|_, found| found.entries.push(kept(4, "x", 200, 0)));
        assert_eq!(found, [Fault::NeverSent { seq: 4, txn: Some("x".to_owned()) }]);
        let found = faults(|_, found| found.entries.push(Kept { txn: None, ..kept(4, "x", 400, 0) }));
        assert_eq!(found, [Fault::NeverSent { seq: 4, txn: None }]);
    }

    #[test]
    fn a_number_that_is_left_out_or_used_again_is_found() {
        assert_eq!(faults(|_, found| found.entries[2].seq = 4), [Fault::Gap { after: 2 }]);
        assert_eq!(faults(|_, found| found.entries[2].seq = 2), [Fault::Gap { after: 2 }]);
        let removed = faults(|known, found| {
            found.entries.remove(0);
            known.calls[0].answer = None;
            found.balances[0].2 = 9;
        });
        assert_eq!(removed, [Fault::Gap { after: 0 }]);
    }

    #[test]
    fn what_an_entry_says_wrongly_is_found() {
        differing("the request id", |_, found| found.entries[0].id = "id-z".to_owned());
        differing("the status", |_, found| found.entries[1].status = 200);
        differing("the ASP", |_, found| found.entries[1].aspid = Some("1000000002".to_owned()));
        differing("the ASP", |_, found| found.entries[0].aspid = None);
        differing("whether it was answered", |_, found| found.entries[0].whole = false);
        differing("the length", |_, found| found.entries[0].bytes_out = Some(9));
        differing("the charge", |_, found| found.entries[0].units = 0);
        differing("the charge", |_, found| found.entries[1].units = 1);
        let of_another = Kept { aspid: Some("1000000002".to_owned()), ..kept(4, "d", 503, 0) };
        differing("the ASP", |_, found| found.entries.push(of_another));
        differing("the charge", |known, found| {
            known.at_gstn.remove("d");
            found.entries.push(kept(4, "d", 200, 1));
        });
    }

    #[test]
    fn a_wrong_balance_is_found() {
        let found = faults(|_, found| found.balances[0].2 = 9);
        let wrong = Fault::Balance { aspid: ASP.to_owned(), teller: "getapibalance", expected: 8, told: 9 };
        assert_eq!(found, [wrong]);
        let overdrawn = faults(|known, found| {
            known.topped_up.insert(ASP.to_owned(), 1);
            found.balances[0].2 = -1;
        });
        assert_eq!(overdrawn, [Fault::Overdrawn { aspid: ASP.to_owned(), by: 1 }]);
    }

    #[test]
    fn a_call_that_is_forwarded_twice_is_found() {
        let found = faults(|known, _| *known.at_gstn.get_mut("a").unwrap() += 1);
        assert_eq!(found, [Fault::ForwardedTwice { txn: "a".to_owned() }]);
    }
}
